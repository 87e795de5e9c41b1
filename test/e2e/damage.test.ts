import { once } from 'node:events';
import { mkdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { blobPath, digestsOf, pullImage, quarantined } from '../support/stored.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const MiB = 1024 * 1024;
const image = seededImage([40 * MiB, 200_000], 9);
const large = image.blobs.find(({ bytes }) => bytes.length === 40 * MiB)!;
const repository = 'blue/whale';

describe('what is done to the files of a running service', () => {
  let upstream: ScriptedUpstream;
  let baleen: Baleen;
  beforeEach(async () => {
    upstream = await ScriptedUpstream.start();
    upstream.add(repository, 'v1', image);
    baleen = await Baleen.start(dockerHubScripted(upstream));
    await pullImage(baleen, repository, 'v1', image);
    upstream.forget();
  });
  afterEach(async () => {
    await baleen[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const everyFile = (spoil: (path: string) => Promise<void>): Promise<void[]> =>
    Promise.all(digestsOf(image).map((digest) => spoil(blobPath(baleen, digest))));

  it.each([
    ['cut short', (path: string) => truncate(path, 100)],
    ['emptied', (path: string) => truncate(path, 0)],
    ['deleted', (path: string) => rm(path)],
    ['longer than it was', (path: string) => writeFile(path, 'more', { flag: 'a' })],
  ])('costs a transfer and nothing else where every one is %s', async (_name, spoil) => {
    await everyFile(spoil);
    for (const { digest, bytes } of image.blobs) {
      const url = `${baleen.url}/v2/${repository}/blobs/${digest}`;
      const head = await fetch(url, { method: 'HEAD' });
      expect([head.status, Number(head.headers.get('content-length'))]).toEqual([
        200,
        bytes.length,
      ]);
    }
    const answers = await pullImage(baleen, repository, 'v1', image);
    expect(answers.map(({ digest }) => digest)).toEqual(digestsOf(image));
    expect(upstream.count('blob-get')).toBe(image.blobs.length);
    // The manifest was in memory; after a restart it comes from the disk, or from upstream.
    await baleen.stop();
    await baleen.start();
    upstream.forget();
    const again = await pullImage(baleen, repository, 'v1', image);
    expect(again.map(({ digest }) => digest)).toEqual(digestsOf(image));
    expect(upstream.count('blob-get')).toBe(0);
    expect((await baleen.command('verify')).code).toBe(0);
  });

  it('breaks the answer that is under way when its file is cut short, and the next is right', async () => {
    const url = `${baleen.url}/v2/${repository}/blobs/${large.digest}`;
    const asked = request(url, { agent: false }).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    await once(answer, 'readable');
    await truncate(blobPath(baleen, large.digest), 20 * MiB);
    answer.resume();
    await new Promise<void>((resolve) => void answer.once('close', resolve));
    expect(answer.complete).toBe(false);
    await waitFor('the blob to be in quarantine', async () => {
      return (await quarantined(baleen)).length === 1;
    });
    expect(await baleen.metric('baleen_quarantined_blobs_total', 'finder="serving"')).toBe(1);
    expect(await get(url)).toMatchObject({ complete: true, digest: large.digest });
    expect(upstream.count('blob-get', large.digest)).toBe(1);
  });

  it('does not take the right file for the wrong one that a slow client still reads', async () => {
    const url = `${baleen.url}/v2/${repository}/blobs/${large.digest}`;
    const asked = request(url, { agent: false }).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    await once(answer, 'readable');
    const path = blobPath(baleen, large.digest);
    await truncate(path, 20 * MiB);
    // It reads along in the file that is open; who comes after it does not.
    expect(await get(url)).toMatchObject({ complete: false });
    await waitFor('the wrong file to be away', async () => {
      return (await quarantined(baleen)).length === 1;
    });
    // It has its new name before it loses the old one.
    await waitFor('the right blob', async () => (await get(url)).digest === large.digest);
    await waitFor('the right file', async () => (await stat(path)).size === 40 * MiB);
    answer.resume();
    await new Promise<void>((resolve) => void answer.once('close', resolve));
    expect(answer.complete).toBe(false);
    expect(await get(url)).toMatchObject({ complete: true, digest: large.digest });
    expect(upstream.count('blob-get', large.digest)).toBe(1);
  });

  it('serves what is stored although something else is in a file’s place', async () => {
    const path = blobPath(baleen, large.digest);
    await rm(path);
    await mkdir(path);
    const url = `${baleen.url}/v2/${repository}/blobs/${large.digest}`;
    expect(await get(url)).toMatchObject({ complete: true, digest: large.digest });
  });
});
