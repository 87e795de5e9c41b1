import { appendFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { QualifiedName } from '../../src/oci/repository-name.ts';
import { ObservedDays } from '../../src/warm/observed-days.ts';
import { ObservedUse } from '../../src/warm/observed-use.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const nginx = 'docker.io/library/nginx' as QualifiedName;
const app = 'ghcr.io/org/app' as QualifiedName;
const noon = Date.parse('2026-11-21T12:00Z');
const day = 86_400_000;

const child = (name: string): Digest => digestOf(Buffer.from(name));
const platforms = [
  ['linux', 'amd64'],
  ['linux', 'arm64'],
  ['unknown', 'unknown'],
] as const;
const index = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: platforms.map(([os, architecture]) => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: child(architecture),
      size: 1,
      platform: { os, architecture },
    })),
  }),
);
const indexDigest = digestOf(index);

describe('what clients pull', () => {
  let folder: TempDir;
  let use: ObservedUse;

  const open = (): ObservedUse =>
    new ObservedUse({
      days: new ObservedDays(folder.path),
      read: (digest) => Promise.resolve(digest === indexDigest ? index : undefined),
    });
  const files = async (): Promise<string[]> => readdir(join(folder.path, 'warm', 'pulls'));
  const most = async (now = noon, days = 14): Promise<string[]> =>
    (await use.mostPulled(now, days)).map(({ image, pulls }) => `${image} ${pulls}`);

  beforeEach(() => {
    folder = tempDir('observed');
    use = open();
  });
  afterEach(async () => folder[Symbol.asyncDispose]());

  it('is counted by tag, those first that were pulled most', async () => {
    for (let nth = 0; nth < 3; nth++) use.pulled(app, 'v1', child('x'));
    use.pulled(nginx, '1.27', indexDigest);
    use.pulled(nginx, 'latest', indexDigest);
    use.pulled(nginx, 'latest', indexDigest);
    await use.flush(noon, 14);
    expect(await most()).toEqual([
      'ghcr.io/org/app:v1 3',
      'docker.io/library/nginx:latest 2',
      'docker.io/library/nginx:1.27 1',
    ]);
  });

  it('is not counted by digest, nor by what signatures are called', async () => {
    use.pulled(nginx, indexDigest, indexDigest);
    use.pulled(nginx, `${indexDigest.replace(':', '-')}.sig`, child('x'));
    await use.flush(noon, 14);
    expect(await most()).toEqual([]);
  });

  it('is remembered over a restart, and counted on', async () => {
    use.pulled(app, 'v1', child('x'));
    await use.flush(noon, 14);
    use = open();
    expect(await most()).toEqual(['ghcr.io/org/app:v1 1']);
    use.pulled(app, 'v1', child('x'));
    use.pulled(app, 'v2', child('x'));
    await use.flush(noon + 60_000, 14);
    use = open();
    expect(await most()).toEqual(['ghcr.io/org/app:v1 2', 'ghcr.io/org/app:v2 1']);
  });

  it('counts for so many days, and is removed then', async () => {
    for (let nth = 0; nth < 5; nth++) {
      use.pulled(app, `day-${nth}`, child('x'));
      use.pulled(app, 'always', child('x'));
      await use.flush(noon + nth * day, 3);
    }
    const now = noon + 4 * day;
    expect(await most(now, 3)).toEqual([
      'ghcr.io/org/app:always 3',
      'ghcr.io/org/app:day-4 1',
      'ghcr.io/org/app:day-3 1',
      'ghcr.io/org/app:day-2 1',
    ]);
    expect(await most(now, 1)).toEqual(['ghcr.io/org/app:day-4 1', 'ghcr.io/org/app:always 1']);
    expect(await files()).toEqual(['2026-11-23.jsonl', '2026-11-24.jsonl', '2026-11-25.jsonl']);
  });

  it('is written only where something has changed', async () => {
    use.pulled(app, 'v1', child('x'));
    await use.flush(noon, 14);
    await rm(join(folder.path, 'warm', 'pulls', '2026-11-21.jsonl'));
    await use.flush(noon, 14);
    expect(await files()).toEqual([]);
  });

  it('tells in which platforms, by the children that clients ask for after an index', async () => {
    use.pulled(nginx, 'latest', indexDigest);
    use.pulled(nginx, child('arm64'), child('arm64'));
    use.pulled(nginx, child('unknown'), child('unknown'));
    use.pulled(app, child('amd64'), child('amd64'));
    await use.flush(noon, 14);
    expect((await use.mostPulled(noon, 14))[0]?.platforms).toEqual(['linux/arm64']);
    // The client's second request came after the batch; a later one is about something else.
    use.pulled(nginx, child('amd64'), child('amd64'));
    await use.flush(noon + 60_000, 14);
    use = open();
    expect((await use.mostPulled(noon, 14))[0]?.platforms).toEqual(['linux/amd64', 'linux/arm64']);
  });

  it('takes no platform from a tag that was not pulled lately', async () => {
    use.pulled(nginx, 'latest', indexDigest);
    await use.flush(noon, 14);
    await use.flush(noon, 14);
    use.pulled(nginx, child('amd64'), child('amd64'));
    await use.flush(noon, 14);
    expect((await use.mostPulled(noon, 14))[0]?.platforms).toEqual([]);
  });

  it('keeps the most pulled of very many', async () => {
    for (let nth = 0; nth < 30_000; nth++) use.pulled(app, `v${nth}`, child('x'));
    for (let nth = 0; nth < 2; nth++) use.pulled(app, 'v29999', child('x'));
    await use.flush(noon, 14);
    const found = await most();
    expect(found[0]).toBe('ghcr.io/org/app:v29999 3');
    expect(found.length).toBeLessThanOrEqual(20_000);
    for (let nth = 0; nth < 100_000; nth++) use.pulled(nginx, `v${nth}`, child('x'));
    await use.flush(noon, 14);
    expect((await most()).length).toBeLessThanOrEqual(20_000);
  });

  it('is counted on where lines of its file are damaged', async () => {
    use.pulled(app, 'v1', child('x'));
    await use.flush(noon, 14);
    const file = join(folder.path, 'warm', 'pulls', '2026-11-21.jsonl');
    await appendFile(file, '{"image":"a:b","pulls":"many"}\n{"image":\n7\n');
    use = open();
    use.pulled(app, 'v1', child('x'));
    await use.flush(noon, 14);
    expect(await most()).toEqual(['ghcr.io/org/app:v1 2']);
  });

  it('is written when the disk is good again', async () => {
    await writeFile(join(folder.path, 'warm'), '');
    use.pulled(app, 'v1', child('x'));
    await expect(use.flush(noon, 14)).rejects.toThrow(/ENOTDIR|EEXIST/);
    await rm(join(folder.path, 'warm'));
    use.pulled(app, 'v1', child('x'));
    await use.flush(noon, 14);
    expect(await most()).toEqual(['ghcr.io/org/app:v1 2']);
  });
});
