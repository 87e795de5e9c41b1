import { describe, expect, it } from '@jest/globals';
import { rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CollectionReport } from '../../src/hosted/collection.ts';
import { HostedLocks } from '../../src/hosted/hosted-locks.ts';
import type { RetentionRule } from '../../src/hosted/retention.ts';
import { hosted, HostedDirectory } from '../support/hosted-directory.ts';
import {
  artifactOf,
  imageOf,
  indexOf,
  layerOf,
  seededImage,
  type Content,
  type Image,
} from '../support/images.ts';
import { testResources } from '../support/resources.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** All files of an image. */
function contentsOf(image: Image): Content[] {
  return [image.manifest, ...image.children, ...image.blobs];
}

const keepTwo: RetentionRule = { isAbout: () => true, immutable: false, keepLast: 2 };

describe('the collection of what was pushed', () => {
  const resources = testResources();
  const open = async (): Promise<HostedDirectory> => resources.use(await HostedDirectory.open());

  const stored = async (directory: HostedDirectory, image: Image): Promise<boolean[]> =>
    Promise.all(contentsOf(image).map(({ digest }) => directory.stores(digest)));
  const counts = ({ tags, manifests, blobs, bytes }: CollectionReport): object => ({
    tags: tags.length,
    manifests: manifests.length,
    blobs,
    bytes,
  });
  const none = { tags: 0, manifests: 0, blobs: 0, bytes: 0 };

  it('leaves alone what manifests name, tagged or not, and all that they lead to', async () => {
    const directory = await open();
    const index = indexOf({ amd64: seededImage([100], 1), arm64: seededImage([100], 2) });
    const untagged = seededImage([100], 3);
    await directory.push('local/app', 'v1', index, 9 * day);
    await directory.push('local/app', undefined, untagged, 9 * day);
    await directory.push('other', 'v1', artifactOf(untagged.manifest, 'a/b', 'text'), 9 * day);
    const report = await directory.collect();
    expect(counts(report)).toEqual(none);
    expect(report.repositories).toBe(2);
    expect([
      ...(await stored(directory, index)),
      ...(await stored(directory, untagged)),
    ]).not.toContain(false);
  });

  it('removes blobs that no manifest names, when their lease has run out', async () => {
    const directory = await open();
    const image = seededImage([100], 1);
    await directory.push('local/app', 'v1', image, 9 * day);
    const [old, young] = [layerOf(1_000, 5), layerOf(1_000, 6)];
    await directory.upload('local/app', old, 2 * hour);
    await directory.upload('local/app', young, minute);
    const foreseen = await directory.collect({ grace: hour }, { dryRun: true });
    expect(counts(foreseen)).toEqual({ ...none, blobs: 1, bytes: 1_000 });
    expect(await directory.stores(old.digest)).toBe(true);
    expect(await directory.collect({ grace: hour })).toEqual({ ...foreseen, dry_run: false });
    expect(await directory.stores(old.digest)).toBe(false);
    expect(await directory.stores(young.digest)).toBe(true);
    const key = hosted('local/app');
    expect(await directory.catalog.linked(key, 'blobs', old.digest)).toBeUndefined();
    expect(await directory.catalog.linked(key, 'blobs', young.digest)).toBeDefined();
    expect(counts(await directory.collect({ grace: hour }))).toEqual(none);
    expect(await stored(directory, image)).not.toContain(false);
  });

  it('removes nothing at all where part of the record is kept elsewhere, which it does not follow', async () => {
    const directory = await open();
    const [near, far] = [seededImage([100], 1), seededImage([100], 2)];
    await directory.push('near', 'v1', near, 9 * day);
    await directory.push('team/far', 'v1', far, 9 * day);
    const folders = [
      join(directory.layout.repositories, hosted('team')),
      join(directory.layout.repositories, hosted('team/far'), '_blobs'),
      join(directory.layout.repositories, '_hosted'),
    ];
    for (const [nth, folder] of folders.entries()) {
      const elsewhere = join(directory.layout.root, `elsewhere-${nth}`);
      await rename(folder, elsewhere);
      await symlink(elsewhere, folder);
      await expect(directory.collect()).rejects.toThrow(folder);
      expect(await stored(directory, far)).not.toContain(false);
      await rm(folder);
      await rename(elsewhere, folder);
    }
    expect(counts(await directory.collect())).toEqual(none);
  });

  it('removes files that no record names at all, and keeps those that another repository has', async () => {
    const directory = await open();
    const [layer, orphan] = [layerOf(500, 1), layerOf(700, 2)];
    await directory.push('a', 'v1', imageOf({}, [layer]), 9 * day);
    await directory.upload('b', layer, 9 * day);
    await directory.upload('b', orphan, 9 * day);
    await directory.catalog.unlink(hosted('b'), 'blobs', [orphan.digest]);
    expect(counts(await directory.collect())).toEqual({ ...none, blobs: 1, bytes: 700 });
    expect(await directory.stores(layer.digest)).toBe(true);
    expect(await directory.catalog.linked(hosted('b'), 'blobs', layer.digest)).toBeUndefined();
    expect(await directory.catalog.repositories()).toEqual([hosted('a')]);
  });

  it('removes tags by the rules, with the images that nothing else leads to', async () => {
    const directory = await open();
    const shared = layerOf(2_000, 9);
    const images = [1, 2, 3, 4].map((seed) => imageOf({ seed }, [shared, layerOf(100, seed)]));
    for (const [index, image] of images.entries()) {
      await directory.push('local/app', `b${String(index)}`, image, (9 - index) * day);
    }
    await directory.push('local/app', undefined, artifactOf(images[0]!.manifest, 'a/b', 's'), day);
    await directory.tag('local/app', 'keep', images[1]!.manifest, 0);
    const policy = { rules: () => [{ ...keepTwo, isAbout: (tag: string) => tag.startsWith('b') }] };
    const foreseen = await directory.collect(policy, { dryRun: true });
    expect(foreseen.tags).toEqual(['local/app:b0', 'local/app:b1']);
    expect(foreseen.manifests).toHaveLength(2);
    expect(foreseen.manifests.at(-1)).toBe(`local/app@${images[0]!.manifest.digest}`);
    expect(await directory.collect(policy)).toEqual({ ...foreseen, dry_run: false });
    expect(await directory.catalog.tags(hosted('local/app'))).toEqual(['b2', 'b3', 'keep']);
    // The image, its config, its own layer, and what was attached to it.
    expect(foreseen.blobs).toBe(2 + 1 + 3);
    expect(await stored(directory, images[1]!)).not.toContain(false);
    expect(counts(await directory.collect(policy))).toEqual(none);
  });

  it('removes untagged images that nobody has pushed or pulled for long enough', async () => {
    const directory = await open();
    const [old, pulled, young] = [1, 2, 3].map((seed) => seededImage([100], seed));
    await directory.push('app', undefined, old!, 9 * day);
    await directory.push('app', undefined, pulled!, 9 * day);
    await directory.push('app', undefined, young!, day);
    const policy = { untagged: 7 * day, grace: hour, rules: () => [] };
    const usedAt = async (digest: string): Promise<number> =>
      digest === pulled!.manifest.digest ? Date.now() - day : 0;
    const collection = directory.collection(policy, { usedAt });
    const report = await collection.run(false, new AbortController().signal);
    expect(report.manifests).toEqual([`app@${old!.manifest.digest}`]);
    expect(report.blobs).toBe(3);
    expect(await stored(directory, pulled!)).not.toContain(false);
    expect(await stored(directory, young!)).not.toContain(false);
  });

  it('says of what a tag leads to that it is of use', async () => {
    const directory = await open();
    const [tagged, untagged] = [1, 2].map((seed) => seededImage([100], seed));
    await directory.push('app', 'v1', tagged!, 9 * day);
    await directory.push('app', undefined, untagged!, day);
    const used: string[] = [];
    const more = { used: (digest: string) => void used.push(digest) };
    const collection = directory.collection({ untagged: 7 * day }, more);
    await collection.run(true, new AbortController().signal);
    expect(used).toEqual([]);
    await collection.run(false, new AbortController().signal);
    expect(used).toEqual([tagged!.manifest.digest]);
  });

  it('keeps a repository as it is whose manifests it cannot read, and cleans the others', async () => {
    const directory = await open();
    const [lost, rotten, good] = [1, 2, 3].map((seed) => seededImage([100], seed));
    const garbage = layerOf(10, 9);
    await directory.push('lost', 'v1', lost!, 9 * day);
    await directory.push('rotten', 'v1', rotten!, 9 * day);
    await directory.push('good', 'v1', good!, 9 * day);
    await directory.upload('good', garbage, 9 * day);
    await rm(directory.layout.blob(lost!.manifest.digest));
    await truncate(directory.layout.blob(rotten!.manifest.digest), 20);
    const report = await directory.collect();
    expect(report.skipped).toEqual(['lost', 'rotten']);
    expect(directory.skipped.map(([, error]) => String(error))).toEqual([
      expect.stringContaining('is missing'),
      expect.stringContaining('is damaged'),
    ]);
    expect(report.blobs).toBe(1);
    for (const { digest } of [...lost!.blobs, ...rotten!.blobs]) {
      expect(await directory.stores(digest)).toBe(true);
    }
  });

  it('keeps a repository as it is whose tags it cannot read, where tags matter', async () => {
    const directory = await open();
    const image = seededImage([100], 1);
    await directory.push('app', 'v1', image, 9 * day);
    await writeFile(directory.record.tag(hosted('app'), 'v1' as never), 'not JSON');
    const policy = { untagged: day };
    expect((await directory.collect(policy)).skipped).toEqual(['app']);
    expect(await stored(directory, image)).not.toContain(false);
    expect((await directory.collect()).skipped).toEqual([]);
  });

  it('removes no file at all where part of the record cannot be read', async () => {
    const directory = await open();
    await directory.push('app', 'v1', seededImage([100], 1), 9 * day);
    const orphan = layerOf(10, 9);
    await directory.store.put(orphan.digest, orphan.bytes);
    const folder = join(directory.layout.repositories, '_hosted/app/_blobs/sha256');
    await rename(folder, `${folder}.away`);
    await writeFile(folder, 'a file where a folder was');
    await expect(directory.collect()).rejects.toThrow('ENOTDIR');
    expect(await directory.stores(orphan.digest)).toBe(true);
  });

  it('removes nothing where the whole record is gone', async () => {
    const directory = await open();
    const image = seededImage([100], 1);
    await directory.push('app', 'v1', image, 9 * day);
    await rename(directory.layout.repositories, `${directory.layout.repositories}.away`);
    expect(counts(await directory.collect())).toEqual(none);
    expect(await stored(directory, image)).not.toContain(false);
  });

  it('removes the last repository, and what it held', async () => {
    const directory = await open();
    const image = seededImage([100], 1);
    await directory.push('team/app', 'v1', image, 9 * day);
    await directory.catalog.deleteTag(hosted('team/app'), 'v1' as never);
    await directory.catalog.unlink(hosted('team/app'), 'manifests', [image.manifest.digest]);
    expect((await directory.collect()).blobs).toBe(3);
    expect(await directory.catalog.repositories()).toEqual([]);
    expect(await stored(directory, image)).not.toContain(true);
  });

  it('keeps what was linked while it was marking', async () => {
    const directory = await open();
    const layer = layerOf(300, 1);
    await directory.upload('a', layer, 9 * day);
    await directory.catalog.unlink(hosted('a'), 'blobs', [layer.digest]);
    await directory.upload('b', layerOf(10, 2), 0);
    const collection = directory.collection(
      {},
      {
        async *survey(signal) {
          // All is marked; somebody mounts the layer, of which the store has an old file.
          await directory.locks.withBlobs([layer.digest], () =>
            directory.catalog.link(hosted('b'), 'blobs', [{ ...layer, size: 300 }]),
          );
          yield* directory.store.survey(signal);
        },
      },
    );
    await collection.run(false, new AbortController().signal);
    expect(await directory.stores(layer.digest)).toBe(true);
  });

  it('keeps a blob that a client heard of after it was decided that it goes', async () => {
    const directory = await open();
    const [first, second] = [layerOf(300, 1), layerOf(300, 2)].toSorted((one, other) =>
      one.digest < other.digest ? -1 : 1,
    );
    await directory.upload('app', first!, 9 * day);
    await directory.upload('app', second!, 9 * day);
    const { catalog, record } = directory;
    const heard: string[] = [];
    const collection = directory.collection(
      { grace: hour },
      {
        catalog: {
          prune: (key) => catalog.prune(key),
          // While one is taken off the record, a client asks for the other.
          unlink: async (key, kind, digests) => {
            const other = digests[0] === first!.digest ? second! : first!;
            heard.push(other.digest);
            await directory.upload('app', other);
            await catalog.unlink(key, kind, digests);
          },
        },
      },
    );
    await collection.run(false, new AbortController().signal);
    expect(heard).toHaveLength(1);
    expect(await directory.stores(heard[0] as never)).toBe(true);
    expect(record.member(hosted('app'), 'blobs', heard[0] as never)).toBeDefined();
    expect(await catalog.members(hosted('app'), 'blobs')).toEqual(heard);
  });

  it('decides anew with the lock, so that what a push has made use of stays', async () => {
    const directory = await open();
    const image = seededImage([100], 1);
    for (const blob of image.blobs) await directory.upload('app', blob, 9 * day);
    const key = hosted('app');
    const { locks } = directory;
    const asked = Promise.withResolvers<void>();
    const pushed = Promise.withResolvers<void>();
    const pushing = locks.withRepository(key, () => pushed.promise);
    locks.withRepository = (asker, work) => {
      asked.resolve();
      return HostedLocks.prototype.withRepository.call(locks, asker, work) as never;
    };
    const collecting = directory.collect();
    // It has seen that no manifest names the blobs, and waits until it may take them away.
    await asked.promise;
    await directory.push('app', 'v1', { ...image, blobs: [] });
    pushed.resolve();
    await pushing;
    expect(counts(await collecting)).toEqual(none);
    expect(await stored(directory, image)).not.toContain(false);
    expect(await directory.catalog.members(key, 'blobs')).toHaveLength(2);
  });

  it('stops when it is told to, and leaves a record whose every part is there', async () => {
    const directory = await open();
    for (let seed = 0; seed < 5; seed += 1) {
      await directory.push('app', `t${String(seed)}`, seededImage([100], seed), (9 - seed) * day);
    }
    const stop = new AbortController();
    const { catalog } = directory;
    const collection = directory.collection(
      { rules: () => [keepTwo] },
      {
        removal: {
          deleteTag: async (key, tag) => {
            await catalog.deleteTag(key, tag);
            stop.abort(new Error('the process ends'));
          },
          deleteUntagged: () => Promise.reject(new Error('the disk is gone')),
        },
      },
    );
    await expect(collection.run(false, stop.signal)).rejects.toThrow('the process ends');
    for (const tag of await catalog.tags(hosted('app'))) {
      const { digest } = (await catalog.tag(hosted('app'), tag))!;
      expect(await directory.stores(digest)).toBe(true);
    }
    // The next run finishes what this one has begun, but for images that lost their tag already.
    await directory.collect({ rules: () => [keepTwo], untagged: 1 });
    expect(await catalog.tags(hosted('app'))).toEqual(['t3', 't4']);
    expect(await catalog.members(hosted('app'), 'manifests')).toHaveLength(2);
  });

  it('does not mind another run beside it', async () => {
    const directory = await open();
    const image = seededImage([100], 1);
    await directory.push('app', 'v1', image, 9 * day);
    const garbage = Array.from({ length: 30 }, (_, nth) => layerOf(10, 100 + nth));
    for (const blob of garbage) await directory.upload('app', blob, 9 * day);
    const reports = await Promise.all([directory.collect(), directory.collect()]);
    expect(reports.map(({ skipped }) => skipped)).toEqual([[], []]);
    expect(reports.reduce((sum, { blobs }) => sum + blobs, 0)).toBe(garbage.length);
    expect(await stored(directory, image)).not.toContain(false);
  });
});
