import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runProgram } from '../../src/cli/program.ts';
import { folderId } from '../../src/service/about.ts';
import { LoopbackServer } from '../support/scripted/loopback-server.ts';
import { Screen } from '../support/screen.ts';
import { testResources } from '../support/resources.ts';

const resources = testResources();
const digest = `sha256:${'0'.repeat(64)}`;

let folder: string;
let list: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-warm-'));
  list = join(folder, 'images.txt');
  writeFileSync(list, 'nginx:1.2*\nredis:* newest=1\nbusybox\n');
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the running Baleen was asked to do. */
  readonly asked: unknown[];
}

/** Runs the command beside a Baleen that tells so much of a run. */
async function run(
  args: readonly string[],
  events: readonly unknown[],
  { stdin = '', screen = undefined as Screen | undefined } = {},
): Promise<Run> {
  const asked: unknown[] = [];
  const server = resources.use(
    new LoopbackServer(async ({ url }, answer, incoming) => {
      if (url === '/api/about') {
        answer.end(JSON.stringify({ folder: await folderId(folder), pid: 4242 }));
        return;
      }
      asked.push(JSON.parse(await text(incoming)));
      answer.end(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    }),
  );
  await server.start();
  let stdout = '';
  let stderr = '';
  const status = await runProgram(['warm', ...args], {
    actions: { serve: () => Promise.reject(new Error('it does not serve')) },
    env: {
      BALEEN_OPERATIONS_LISTEN: new URL(server.origin).host,
      BALEEN_STORAGE_DIRECTORY: folder,
    },
    version: '1.2.3',
    tty: screen !== undefined,
    stdin: Object.assign(Readable.from([stdin]), { isTTY: stdin === '' }),
    terminalSize: () => ({ columns: 70, rows: 10 }),
    stdout(chunk) {
      stdout += chunk;
      screen?.write(chunk);
    },
    stderr: (chunk) => (stderr += chunk),
  });
  return { status, stdout, stderr, asked };
}

const planned = {
  kind: 'planned',
  image: 'docker.io/library/nginx:1.27',
  digest,
  platforms: ['linux/amd64', 'linux/arm64'],
  blobs: 9,
  bytes: 3 * 1024 * 1024,
  present_blobs: 2,
  present_bytes: 1024 * 1024,
};
const progress = {
  kind: 'progress',
  bytes: 1024,
  total: 2 * 1024 * 1024,
  images_done: 0,
  images: 3,
};
const warmed = {
  kind: 'image',
  image: planned.image,
  result: 'warmed',
  digest,
  fetched_bytes: 2 * 1024 * 1024,
  fetched_blobs: 7,
};
const present = {
  ...warmed,
  image: 'docker.io/library/redis:7',
  result: 'present',
  fetched_bytes: 0,
  fetched_blobs: 0,
};
const failed = {
  kind: 'image',
  image: 'docker.io/library/busybox:latest',
  result: 'failed',
  fetched_bytes: 0,
  fetched_blobs: 0,
  code: 'UPSTREAM_TIMEOUT',
  message: 'no answer\u001b[2J in 5 s',
};
const waiting = { kind: 'waiting', upstream: 'docker.io', seconds: 90, reason: 'rate-limit' };
const summary = {
  kind: 'summary',
  images: 2,
  failed: 0,
  fetched_bytes: 2 * 1024 * 1024,
  fetched_blobs: 7,
  present_bytes: 1024 * 1024,
  present_blobs: 2,
  seconds: 61.2,
  dry_run: false,
};

describe('baleen warm beside a running Baleen', () => {
  it('has it warm what the list and the options say', async () => {
    const args = ['-f', list, 'local/app:1', '--newest', '3', '--platform', 'amd64,linux/arm64'];
    const more = [
      '--platform',
      'linux/arm',
      '--jobs=8',
      '--bandwidth',
      '50MiB',
      '--pin',
      '--referrers',
    ];
    const { status, asked } = await run([...args, ...more, '--dry-run'], [summary]);
    expect(status).toBe(0);
    expect(asked).toEqual([
      {
        images: [
          { reference: 'local/app:1' },
          { reference: 'nginx:1.2*', newest: 3 },
          { reference: 'redis:*', newest: 1 },
          { reference: 'busybox' },
        ],
        platforms: ['amd64', 'linux/arm64', 'linux/arm'],
        referrers: true,
        jobs: 8,
        bandwidth: '50MiB',
        pin: true,
        dry_run: true,
      },
    ]);
  });

  it('reads what is piped into it, and does the rest as it is configured', async () => {
    const { status, asked } = await run([], [summary], { stdin: '{"image":"nginx:1.27"}' });
    expect(status).toBe(0);
    const images = [{ reference: 'nginx:1.27' }];
    expect(asked).toEqual([{ images, platforms: ['linux/amd64'], jobs: 4 }]);
    const file = join(folder, 'config.yaml');
    writeFileSync(file, 'warm: { platforms: [all], jobs: 9, bandwidth: 1MiB }\n');
    const configured = await run(['-c', file, 'nginx:1.27'], [summary]);
    expect(configured.asked).toEqual([
      { images, platforms: ['all'], jobs: 9, bandwidth: 1024 * 1024 },
    ]);
  });

  it('prints a line for each step where there is no terminal', async () => {
    const events = [planned, progress, waiting, warmed, present, summary];
    const { status, stdout, stderr } = await run(['nginx:1.27'], events);
    expect(status).toBe(0);
    expect(stderr).toBe('Through the Baleen that is running here (process 4242).\n');
    expect(stdout).toBe(
      `fetching  docker.io/library/nginx:1.27  2 MiB in 7 blobs, 1 MiB there (linux/amd64, linux/arm64)
waiting   docker.io has said that it was asked too much: 1m30s
warmed    docker.io/library/nginx:1.27  2 MiB in 7 blobs
present   docker.io/library/redis:7
2 images: 1 warmed, 1 present. 2 MiB in 7 blobs fetched in 1m2s; 1 MiB in 2 blobs were there.
`,
    );
  });

  it('prints there how far it has come, for each tenth of what takes long', async () => {
    const total = 1024 * 1024 * 1024;
    const shares = [0, 0.05, 0.12, 0.19, 0.55, 0.3, 0.56, 1];
    const steps = shares.map((share) => ({ ...progress, total, bytes: Math.ceil(total * share) }));
    const { stdout } = await run(['x'], [...steps, summary]);
    const told = stdout
      .split('\n')
      .flatMap((line) => /^ {10}0 of 3 images, .+ \((\d+)%\)/.exec(line)?.[1] ?? []);
    expect(told).toEqual(['12', '55']);
  });

  it('names each failure with its code and its message, and ends with 1', async () => {
    const events = [warmed, failed, { ...summary, failed: 1 }];
    const { status, stdout, stderr } = await run(['nginx:1.27', 'busybox'], events);
    expect(status).toBe(1);
    expect(stdout).toContain('failed    docker.io/library/busybox:latest  UPSTREAM_TIMEOUT\n');
    expect(stdout).toContain('2 images: 1 warmed, 1 failed.');
    expect(stderr).toContain(
      '1 image failed:\n  docker.io/library/busybox:latest: UPSTREAM_TIMEOUT: no answer\ufffd[2J in 5 s\n',
    );
  });

  it('says what a dry run would fetch', async () => {
    const events = [planned, { ...warmed, result: 'planned' }, { ...summary, dry_run: true }];
    const { status, stdout } = await run(['nginx:1.27', '--dry-run'], events);
    expect(status).toBe(0);
    expect(stdout).toBe(
      `planned   docker.io/library/nginx:1.27  2 MiB in 7 blobs
2 images: 1 planned. 2 MiB in 7 blobs would be fetched; 1 MiB in 2 blobs are there.
`,
    );
  });

  it('prints the documents as they are with --json, and ends as it would without', async () => {
    const events = [planned, progress, failed, { ...summary, failed: 1 }];
    const { status, stdout, stderr } = await run(['busybox', '--json'], events, {
      screen: new Screen(),
    });
    expect([status, stderr]).toEqual([1, '']);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(events);
  });

  it('leaves on a terminal a line for each image, and the result', async () => {
    const screen = new Screen(70);
    const { status, stderr } = await run(
      ['x'],
      [planned, progress, warmed, progress, present, summary],
      {
        screen,
      },
    );
    expect([status, stderr]).toEqual([
      0,
      'Through the Baleen that is running here (process 4242).\n',
    ]);
    expect(screen.lines).toEqual([
      'warmed    docker.io/library/nginx:1.27  2 MiB in 7 blobs',
      'present   docker.io/library/redis:7',
      // The terminal breaks it: nothing is cut off of what stays.
      '2 images: 1 warmed, 1 present. 2 MiB in 7 blobs fetched in 1m2s; 1 MiB',
      ' in 2 blobs were there.',
    ]);
  });

  it('shows on a terminal what is at work, until there is more to say', async () => {
    const screen = new Screen(70);
    const { status, stderr } = await run(
      ['x'],
      [waiting, planned, progress, { errors: [{ message: 'no' }] }],
      {
        screen,
      },
    );
    expect([status, stderr.split('\n')[1]]).toEqual([1, 'baleen: no']);
    expect(screen.lines).toEqual([
      'waiting   docker.io has said that it was asked too much: 1m30s',
    ]);
  });

  it('names the lines of a list that are no images, warms the others, and ends with 1', async () => {
    const { status, stderr, asked } = await run(['-f', '-'], [summary], { stdin: 'nginx\nNO\n' });
    expect([status, asked]).toMatchObject([1, [{ images: [{ reference: 'nginx' }] }]]);
    expect(stderr).toContain('standard input:2: "NO" is no image');
    expect(stderr).toContain('baleen: not all of the list could be read\n');
  });

  it('has nothing to do where there is nothing on the list', async () => {
    const { status, stderr, asked } = await run([], [], { stdin: '# nothing is missing\n' });
    expect([status, stderr, asked]).toEqual([0, 'There is nothing to warm.\n', []]);
  });

  it('has failed where the run breaks off', async () => {
    const { status, stderr } = await run(['x'], [planned]);
    expect([status, stderr.split('\n')[1]]).toEqual([1, 'baleen: warming was broken off']);
  });

  it.each([
    [[], 'name the images, or give a list of them with --file'],
    [['Nope'], '"Nope" is no image'],
    [['x', '--platform', 'linux'], '"linux" is no platform'],
    [['x', '--jobs', '0'], 'jobs has to be a number from 1 to 64'],
    [['x', '--jobs', 'many'], 'jobs has to be a number from 1 to 64'],
    [['x', '--bandwidth', '50G'], 'bandwidth has to be a size, such as 50MiB'],
    [['x', '--newest', '-1'], '--newest expects a number of versions, such as 3'],
    [['nginx', '--newest', '3'], "--newest is for patterns of tags, such as 'nginx:1.2*'"],
    [['-f', '/no/such/list'], '/no/such/list: there is no such file'],
  ])('refuses misuse with status 2: %j', async (args, reason) => {
    const { status, stderr, asked } = await run(args, []);
    expect([status, asked]).toEqual([2, []]);
    expect(stderr).toContain(`error: ${reason}`);
  });
});
