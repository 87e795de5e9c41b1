import { mkdir, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { VerifyEvent } from '../../src/registry/verify.ts';
import { Baleen } from '../support/baleen.ts';
import { seededImage } from '../support/images.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';
import { blobPath, digestsOf, flipBit, pullImage, quarantined } from '../support/stored.ts';

jest.setTimeout(60_000);

const repository = 'blue/whale';
const image = seededImage([300_000, 200_000], 7);
const layer = image.blobs.at(-1)!;

let upstream: ScriptedUpstream;
let baleen: Baleen;
beforeEach(async () => {
  upstream = await ScriptedUpstream.start();
  upstream.add(repository, 'v1', image);
  baleen = await Baleen.start({
    ...dockerHubScripted(upstream),
    storage: { scrub: { interval: 'off' } },
  });
  await pullImage(baleen, repository, 'v1', image);
});
afterEach(async () => {
  await baleen[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const pulled = async (): Promise<string[]> =>
  (await pullImage(baleen, repository, 'v1', image)).map(({ digest }) => digest);

const events = (stdout: string): VerifyEvent[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as VerifyEvent);

describe.each(['through the running service', 'on the directory alone'])(
  'baleen verify %s',
  (way) => {
    beforeEach(async () => {
      if (way === 'on the directory alone') await baleen.stop();
    });
    const startAgain = async (): Promise<void> => {
      if (way === 'on the directory alone') await baleen.start();
    };

    it('says that all is well, step by step', async () => {
      const { code, stdout, stderr } = await baleen.command('verify');
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: expect.stringMatching(
          /^blobs: 4 files, \d+ KiB in [\d.]+ s: all is well\nrecord: 5 files in .*\nleftovers: 0 files in .*\nAll is well \(.* s\)\.\n$/,
        ),
      });
      expect(stderr.includes('Through the Baleen that is running here')).toBe(
        way.includes('running'),
      );
    });

    it('tells a bit that has turned over, repairs it when told to, and the next pull is right', async () => {
      const path = blobPath(baleen, layer.digest);
      await flipBit(path);
      const told = await baleen.command('verify');
      expect(told.code).toBe(1);
      expect(told.stdout).toContain(`wrong: blobs/sha256/${layer.digest.slice(7, 9)}/`);
      expect(told.stdout).toContain('its 200000 bytes are those of sha256:');
      expect(told.stdout).toContain('1 wrong, 0 repaired, 1 left');
      expect(await quarantined(baleen)).toEqual([]);

      const repaired = await baleen.command('verify', '--repair', '--json');
      expect(repaired.code).toBe(0);
      expect(events(repaired.stdout).map(({ event }) => event)).toEqual([
        'problem',
        'step',
        'step',
        'step',
        'result',
      ]);
      expect(events(repaired.stdout)[0]).toMatchObject({ kind: 'wrong', done: 'quarantined' });
      expect(await quarantined(baleen)).toEqual([
        expect.stringMatching(`_${layer.digest.replace(':', '-')}$`),
      ]);

      await startAgain();
      upstream.forget();
      expect(await pulled()).toEqual(digestsOf(image));
      expect(upstream.count('blob-get', layer.digest)).toBe(1);
      expect((await baleen.command('verify')).code).toBe(0);
    });

    it('sets right whatever else is wrong, and what was wrong is fetched again', async () => {
      const v1 = join(baleen.dataDirectory, 'v1');
      const record = join(v1, 'repositories/docker.io', repository);
      const [config] = image.blobs;
      await truncate(blobPath(baleen, layer.digest), 1000);
      await flipBit(blobPath(baleen, image.manifest.digest));
      await writeFile(join(record, '_tags/v1'), '{"digest":');
      await writeFile(
        join(record, '_blobs/sha256', config!.digest.slice(7)),
        JSON.stringify({ mediaType: config!.mediaType, size: 5 }),
      );
      await mkdir(join(v1, 'blobs/sha256/zz'), { recursive: true });
      await writeFile(join(v1, 'blobs/sha256/zz/notes.txt'), 'mine');

      const { code, stdout } = await baleen.command('verify', '--repair', '--json');
      const problems = events(stdout).filter((event) => event.event === 'problem');
      expect(
        problems.map(({ step, kind, done }) => `${step} ${kind} ${String(done)}`).toSorted(),
      ).toEqual([
        'blobs foreign undefined',
        'blobs wrong quarantined',
        'blobs wrong quarantined',
        'record malformed quarantined',
        'record mismatch mended',
      ]);
      expect(code).toBe(1);
      expect(await quarantined(baleen)).toHaveLength(3);
      expect(await readdir(join(v1, 'blobs/sha256/zz'))).toEqual(['notes.txt']);
      await rm(join(v1, 'blobs/sha256/zz'), { recursive: true });
      expect((await baleen.command('verify')).code).toBe(0);

      await startAgain();
      upstream.forget();
      expect(await pulled()).toEqual(digestsOf(image));
      expect(upstream.count('blob-get')).toBe(1);
      await baleen.stop();
      await baleen.start();
      upstream.forget();
      expect(await pulled()).toEqual(digestsOf(image));
      expect(upstream.count('blob-get')).toBe(0);
    });
  },
);

describe('baleen verify', () => {
  it('is counted and logged by the service it goes through', async () => {
    await flipBit(blobPath(baleen, layer.digest));
    await baleen.command('verify', '--repair');
    expect(await baleen.metric('baleen_quarantined_blobs_total', 'finder="verify"')).toBe(1);
    const lines = baleen.process.stdout.split('\n').filter((line) => line.includes('quarantine'));
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({ level: 'error', digest: layer.digest, finder: 'verify' }),
    ]);
  });

  it('reads no faster than it is told to, and refuses a rate that is none', async () => {
    const { code, stdout } = await baleen.command('verify', '--rate', '500KiB', '--json');
    expect(code).toBe(0);
    // 500 KB at this pace, a quarter of a second free; slower is never wrong.
    expect(events(stdout).at(-1)).toMatchObject({ event: 'result', problems: 0 });
    expect((events(stdout).at(-1) as { seconds: number }).seconds).toBeGreaterThan(0.5);
    const refused = await baleen.command('verify', '--rate', 'fast');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('such as 50MiB')]);
  });

  it('runs once at a time in a service, and ends when nobody waits for it', async () => {
    const leaving = new AbortController();
    const first = await fetch(`${baleen.operationsUrl}/api/verify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"rate":"10KiB"}',
      signal: leaving.signal,
    });
    expect(first.status).toBe(200);
    const second = await baleen.command('verify');
    expect([second.code, second.stderr]).toEqual([
      1,
      expect.stringContaining('a verification is running already'),
    ]);
    leaving.abort();
    await waitFor('the next one to be let in', async () => {
      return (await baleen.command('verify')).code === 0;
    });
  });

  it('leaves alone a service of another directory, and says so where there is no store', async () => {
    const { code, stderr } = await baleen.command('verify', '--data', '/nonexistent/baleen');
    expect([code, stderr]).toEqual([1, expect.stringContaining('there is no store in')]);
  });

  it('leaves alone what somebody may be at work on', async () => {
    const tmp = join(baleen.dataDirectory, 'v1/tmp/half');
    await writeFile(tmp, 'half');
    await utimes(tmp, 1, 1);
    // Its change time is new: somebody is at work.
    expect(events((await baleen.command('verify', '--json')).stdout)[0]).toMatchObject({
      event: 'step',
      step: 'blobs',
    });
    expect(await readdir(join(baleen.dataDirectory, 'v1/tmp'))).toContain('half');
  });
});
