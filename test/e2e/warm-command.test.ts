import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Baleen, hermeticEnvironment } from '../support/baleen.ts';
import { Child } from '../support/child.ts';
import { tryCommand, type CommandResult } from '../support/command.ts';
import { indexOf, seededImage } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { Screen } from '../support/screen.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const main = join(import.meta.dirname, '../../src/main.ts');
const env = hermeticEnvironment();
const large = 4_000_000;

const amd64 = seededImage([1_000, 40_000], 501);
const arm64 = seededImage([1_000, 50_000], 502);
const whale = indexOf({ amd64, arm64 });
const krill = seededImage([large], 503);

describe('the command that warms images', () => {
  const resources = testResources();
  let upstream: ScriptedUpstream;
  let baleen: Baleen;

  beforeEach(async () => {
    upstream = resources.use(await ScriptedUpstream.start());
    for (const tag of ['1.9', '1.10', '1.11-rc1', '1.10-slim', 'latest']) {
      upstream.add('blue/whale', tag, whale);
    }
    upstream.add('library/krill', 'latest', krill);
    const timeouts = { idle: '30s', resume: '30s' };
    baleen = resources.use(await Baleen.prepare(dockerHubScripted(upstream, { timeouts })));
    await baleen.writeConfiguration();
  });

  /** Runs it with something piped in. */
  const piped = (text: string, ...args: readonly string[]): Promise<CommandResult> => {
    const line = [process.execPath, main, 'warm', '--config', baleen.configFile, ...args];
    return tryCommand('sh', ['-c', 'printf %s "$0" | "$@"', text, ...line], { env });
  };
  /** Starts it, and goes on when more than half of a blob has come. */
  const interruptible = async (): Promise<Child> => {
    const args = [main, 'warm', 'krill', '--json', '--config', baleen.configFile];
    const child = resources.use(new Child(process.execPath, args, { env }));
    await child.until('fetches', () =>
      [...child.stdout.matchAll(/"bytes":(\d+),"total"/g)].some(
        (came) => Number(came[1]) > large / 2,
      ),
    );
    return child;
  };
  const summaryOf = ({ stdout }: CommandResult): Record<string, unknown> =>
    JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;

  it('finds images in what Kubernetes writes, in lists and behind patterns, and has them then', async () => {
    const pods = JSON.stringify({
      items: [
        { spec: { containers: [{ image: 'krill' }] }, status: { image: krill.manifest.digest } },
      ],
    });
    const first = await piped(pods);
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(first.stdout).toContain(
      'warmed    docker.io/library/krill:latest  3.81 MiB in 2 blobs\n',
    );
    const list = 'blue/whale:1.* newest=2 platform=linux/amd64\nkrill:latest # again\n';
    const second = await piped(list, '-f', '-');
    expect([second.code, second.stderr]).toEqual([0, '']);
    // They share all they have: it is told with the one that asked for it first.
    expect(second.stdout).toMatch(/^(warmed|present) +docker\.io\/blue\/whale:1\.10( |$)/m);
    expect(second.stdout).toMatch(/^(warmed|present) +docker\.io\/blue\/whale:1\.9( |$)/m);
    expect(second.stdout).toContain('present   docker.io/library/krill:latest\n');
    expect(second.stdout).toContain('3 images: ');
    expect(upstream.count('blob-get', amd64.blobs[2]?.digest)).toBe(1);
    expect(upstream.count('blob-get', arm64.blobs[2]?.digest)).toBe(0);
    const both = await piped('', 'blue/whale', '--platform', 'all', '--json');
    expect(summaryOf(both)).toMatchObject({ images: 1, failed: 0, fetched_blobs: 3 });
    expect(upstream.count('blob-get', amd64.blobs[2]?.digest)).toBe(1);
  });

  it('names what it could not warm, and warms the rest', async () => {
    const { code, stdout, stderr } = await piped(
      'krill\nkrill:none\nblue/whale:3.*\nnowhere.example/x\n',
    );
    expect(code).toBe(1);
    expect(stdout).toContain('warmed    docker.io/library/krill:latest');
    expect(stderr).toContain('3 images failed:\n');
    expect(stderr).toMatch(/ {2}docker\.io\/library\/krill:none: MANIFEST_UNKNOWN: .+\n/);
    expect(stderr).toContain(
      '  blue/whale:3.*: MANIFEST_UNKNOWN: none of its 5 tags fits the pattern\n',
    );
    expect(stderr).toContain('  nowhere.example/x: NAME_UNKNOWN: ');
  });

  it('ends cleanly when it is interrupted, and goes on from there when it is run again', async () => {
    upstream.fault({
      on: 'blob-get',
      holdAt: { bytes: large * 0.75 },
      when: ({ url }) => url.includes(krill.blobs[1]?.digest ?? ''),
      times: 1,
    });
    const child = await interruptible();
    child.signal('SIGINT');
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.stderr).toBe('baleen: interrupted; run it again, and it goes on where it was\n');
    const again = await piped('', 'krill', '--json');
    expect(again.code).toBe(0);
    expect(summaryOf(again)['fetched_bytes']).toBeLessThan(large / 2);
    expect((await baleen.command('verify')).stdout).toContain('All is well');
  });

  it('has the Baleen that is running do it, which ends it with the command', async () => {
    upstream.fault({ on: 'blob-get', holdAt: { bytes: large * 0.75 }, times: 2 });
    await baleen.start();
    const child = await interruptible();
    child.signal('SIGTERM');
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.stderr).toContain('baleen: interrupted; run it again');
    await waitFor('the run ends', () => baleen.process.stdout.includes('warming was broken off'));
    const again = await baleen.command('warm', 'krill');
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('docker.io/library/krill:latest');
  });

  it('shows a person how far it has come, on a terminal of whatever size', async () => {
    for (let nth = 1; nth <= 6; nth += 1) {
      upstream.add('blue/school', `1.${nth}`, seededImage([10_000 * nth], 510 + nth));
    }
    const file = join(baleen.configFile, '../list.txt');
    await writeFile(file, 'blue/school:*\nkrill\n');
    upstream.fault({ on: 'blob-get', rate: large });
    const warm = `${process.execPath} ${main} warm -f ${file} --config ${baleen.configFile}`;
    const typescript = resources.use(
      new Child('script', ['-qefc', `stty cols 60 rows 6; ${warm}`, '/dev/null'], {
        env: { ...env, TERM: 'xterm' },
      }),
    );
    expect(await typescript.exited).toEqual({ code: 0, signal: null });
    expect(typescript.stdout).toMatch(/\d+ of \d+ images, /);
    const screen = new Screen(60);
    screen.write(typescript.stdout);
    // What changed has gone, and nothing of it is left between the lines that stay.
    const shown = screen.lines.join('');
    const lasting = Array.from({ length: 6 }, (_, nth) => `docker.io/blue/school:1.${nth + 1}  `);
    for (const line of [...lasting, 'docker.io/library/krill:latest  3.81 MiB in 2 blobs']) {
      expect(shown.split(`warmed    ${line}`)).toHaveLength(2);
    }
    expect(shown).not.toMatch(/ of \d+ images,/);
    expect(shown).toMatch(/7 images: 7 warmed\. 4\.02 MiB in 14 blobs fetched in \d+s\.$/);
  });
});
