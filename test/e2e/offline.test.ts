import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { MissingImage } from '../../src/registry/missing-images.ts';
import { findImages } from '../../src/warm/find-images.ts';
import { Baleen } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { artifactOf, indexOf, seededImage } from '../support/images.ts';
import { suiteResources } from '../support/resources.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { blobPath } from '../support/stored.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const amd64 = seededImage([20_000, 300_000], 71);
const arm64 = seededImage([20_000], 72);
const image = indexOf({ amd64, arm64 });
const signature = artifactOf(image.manifest, 'application/x-signature', 'signed');
const name = 'reef.example/blue/whale';

describe('a Baleen that is offline', () => {
  const resources = suiteResources();
  let upstream: ScriptedUpstream;
  let baleen: Baleen;
  let helped: string;
  let reef: object;

  const url = (path: string): string => `${baleen.url}/v2/${name}/${path}`;
  const missing = async (): Promise<MissingImage[]> => {
    const { code, stdout } = await baleen.command('missing', '--json');
    expect(code).toBe(0);
    return (JSON.parse(stdout) as { images: MissingImage[] }).images;
  };
  const namesOf = (images: readonly MissingImage[]): string[] =>
    images.map((each) => each.image).toSorted();

  beforeAll(async () => {
    const { path } = resources.use(tempDir());
    helped = join(path, 'helped');
    const helper = join(path, 'docker-credential-reef');
    const answer = '{"Username":"whale","Secret":"krill"}';
    await writeFile(helper, `#!/bin/sh\ntouch ${helped}\necho '${answer}'\n`);
    await chmod(helper, 0o755);
    upstream = resources.use(await ScriptedUpstream.start({ basic: 'whale:krill' }));
    upstream.add('blue/whale', 'v1', image);
    upstream.add('blue/whale', undefined, signature);
    reef = {
      url: upstream.url,
      credentials: { helper: 'reef' },
      deny: ['secret/**'],
      tag_ttl: '0s',
      negative_ttl: '0s',
    };
    baleen = resources.use(await Baleen.prepare({ upstreams: { 'reef.example': reef } }));
    baleen.environment = { PATH: `${path}:${process.env['PATH'] ?? ''}` };
    await baleen.start();
    await get(url('manifests/v1'));
    await get(url(`manifests/${amd64.manifest.digest}`));
    for (const { digest } of amd64.blobs) await get(url(`blobs/${digest}`));
    await get(url(`referrers/${image.manifest.digest}`));
    await waitFor('the last blob', () => readFile(blobPath(baleen, amd64.blobs.at(-1)!.digest)));
    expect(await baleen.stop()).toMatchObject({ code: 0 });
    expect(await readFile(helped, 'utf8')).toBe('');
    await rm(helped);
    upstream.forget();
    baleen.configure({ upstreams: { 'reef.example': { ...reef, offline: true } } });
    await baleen.start();
  });

  it('serves what is here, and says that it is a hit', async () => {
    const tag = await get(url('manifests/v1'));
    expect([tag.status, tag.digest]).toEqual([200, image.manifest.digest]);
    expect(tag.headers['cache-status']).toMatch(/^baleen; hit; ttl=-?\d+; detail=OFFLINE$/);
    expect(tag.headers['age']).toMatch(/^\d+$/);
    for (const { digest } of amd64.blobs) {
      const blob = await get(url(`blobs/${digest}`));
      expect([blob.digest, blob.headers['cache-status']]).toEqual([digest, 'baleen; hit']);
    }
    const tags = await get(url('tags/list'));
    expect(JSON.parse(tags.text)).toEqual({ name: 'blue/whale', tags: ['v1'] });
    const referrers = await get(url(`referrers/${image.manifest.digest}`));
    expect(JSON.parse(referrers.text)).toMatchObject({
      manifests: [{ digest: signature.manifest.digest }],
    });
  });

  it('answers 404 to what is not here, with what brings it', async () => {
    const tag = await get(url('manifests/v2'));
    expect([tag.status, tag.headers['cache-status']]).toEqual([
      404,
      'baleen; detail=UPSTREAM_OFFLINE',
    ]);
    expect(JSON.parse(tag.text)).toMatchObject({
      errors: [
        {
          code: 'MANIFEST_UNKNOWN',
          message: expect.stringContaining(`"baleen warm ${name}:v2"`),
        },
      ],
    });
    const child = await get(url(`manifests/${arm64.manifest.digest}`));
    expect(child.text).toContain(`(linux/arm64 of ${name}:v1) is not here`);
    expect(await (await fetch(url('manifests/v2'), { method: 'HEAD' })).text()).toBe('');
    const denied = await get(`${baleen.url}/v2/reef.example/secret/whale/manifests/v1`);
    expect(denied.status).toBe(403);
    await rm(blobPath(baleen, amd64.blobs[1]!.digest));
    const blob = await get(url(`blobs/${amd64.blobs[1]!.digest}`));
    expect(blob.status).toBe(404);
    expect(JSON.parse(blob.text)).toMatchObject({
      errors: [
        {
          code: 'BLOB_UNKNOWN',
          message: expect.stringContaining(`"baleen warm ${name}@${amd64.manifest.digest}"`),
        },
      ],
    });
    expect(await baleen.metric('baleen_errors_total', 'UPSTREAM_OFFLINE')).toBe(4);
  });

  it('tells what was missing, in a form for people and for baleen warm', async () => {
    const listed = await missing();
    expect(listed).toMatchObject([
      { image: `${name}@${arm64.manifest.digest}`, platform: 'linux/arm64', count: 1 },
      { image: `${name}:v2`, count: 2 },
      { image: `${name}@${amd64.manifest.digest}`, blobs: [amd64.blobs[1]!.digest], count: 1 },
    ]);
    const { stdout } = await baleen.command('missing');
    expect(await findImages(stdout)).toMatchObject({
      images: listed.map((each) => ({ reference: each.image })),
      faults: [],
    });
    expect(stdout).toContain(`; linux/arm64 of ${name}:v1\n`);
    expect(stdout).toContain('asked for 2 times');
    expect(await baleen.metric('baleen_missing_images')).toBe(3);
  });

  it('logs an image that is missing, and no tag for being old', async () => {
    const { process } = baleen;
    await waitFor('the log', () => process.stdout.includes(`"image":"${name}:v2"`));
    expect(process.stdout).toContain('its upstream is offline');
    expect(process.stdout).not.toContain('stale');
  });

  it('has asked nobody: neither the upstream, nor for credentials', async () => {
    expect(upstream.total).toBe(0);
    await expect(readFile(helped)).rejects.toThrow('ENOENT');
  });

  it('still knows what was missing after SIGKILL, and tells it with no service running', async () => {
    const before = await missing();
    const file = join(baleen.dataDirectory, 'v1/missing/images.jsonl');
    await waitFor('the file', async () => (await readFile(file, 'utf8')).split('\n').length === 4);
    await baleen.kill();
    expect(await missing()).toEqual(before);
    await baleen.start();
    expect(await missing()).toEqual(before);
  });

  it('forgets what has come, and all of it when it is told to', async () => {
    expect(await baleen.reload({ upstreams: { 'reef.example': reef } })).toBe(true);
    await get(url(`manifests/${arm64.manifest.digest}`));
    await get(url(`blobs/${amd64.blobs[1]!.digest}`));
    await waitFor('the blob', () => readFile(blobPath(baleen, amd64.blobs[1]!.digest)));
    expect(namesOf(await missing())).toEqual([`${name}:v2`]);
    expect(await baleen.reload({ offline: true })).toBe(true);
    const cleared = await baleen.command('missing', '--clear');
    expect(cleared.stdout).toContain(`\n${name}:v2\n`);
    const { stdout } = await baleen.command('missing');
    expect(stdout).toBe('# Nothing that was asked for is missing.\n');
    await get(url('manifests/v3'));
    expect(await baleen.stop()).toMatchObject({ code: 0 });
    expect(namesOf(await missing())).toEqual([`${name}:v3`]);
    expect((await baleen.command('missing', '--clear')).code).toBe(0);
    expect(await missing()).toEqual([]);
  });
});
