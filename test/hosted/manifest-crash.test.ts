import { cp } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import { ReferrerRecord } from '../../src/catalog/referrer-record.ts';
import { HostedLocks } from '../../src/hosted/hosted-locks.ts';
import { HostedRules } from '../../src/hosted/hosted-rules.ts';
import { ManifestDeletion } from '../../src/hosted/manifest-deletion.ts';
import { ManifestPush } from '../../src/hosted/manifest-push.ts';
import { ManifestShelf } from '../../src/hosted/manifest-shelf.ts';
import { Namers } from '../../src/hosted/namers.ts';
import { ReferrersIndexes } from '../../src/hosted/referrers-indexes.ts';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import { parseReference, referrersTag, type Tag } from '../../src/oci/reference.ts';
import { ManifestCache } from '../../src/registry/manifest-cache.ts';
import { keepsEverything } from '../../src/service/store.ts';
import { DiskBlobStore } from '../../src/store/disk-blob-store.ts';
import { Layout } from '../../src/store/layout.ts';
import { hostedRouteOf } from '../support/hosted.ts';
import { artifactOf, content, descriptorOf, imageOf, type Content } from '../support/images.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

/*
 * What stands on the disk when pushes and deletions break off, at every step there is: as a crash
 * leaves it, and as a disk does that refuses from there on.
 */

const route = hostedRouteOf('local/app');
const { key } = route;

/** Lets so many changes of the disk happen, and fails the next ones. */
interface Budget {
  left: number;
  /** Whether the first to fail has done its work all the same. */
  readonly fails: 'before' | 'after';
  used: number;
}

/** The methods that change the disk. */
const changing = new Set(['put', 'link', 'unlink', 'putTag', 'deleteTag', 'add', 'remove']);

function failing<T extends object>(real: T, budget: Budget): T {
  return new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (!changing.has(String(name))) return value.bind(target) as unknown;
      return async (...given: unknown[]) => {
        budget.used += 1;
        if (budget.left === 0 && budget.fails === 'before') throw new Error('the disk refuses');
        if (budget.left < 0) throw new Error('the disk refuses');
        budget.left -= 1;
        const result: unknown = await (value as (...all: unknown[]) => Promise<unknown>).apply(
          target,
          given,
        );
        if (budget.left < 0) throw new Error('the disk refuses');
        return result;
      };
    },
  });
}

/** All of a registry's manifests on a folder, as a process has them that was just started. */
async function open(data: string, budget: Budget = { left: Infinity, fails: 'before', used: 0 }) {
  const layout = new Layout(data, 'hosted');
  const pool = new BufferPool(1024 * 1024);
  const disk = await DiskBlobStore.open({ layout, pool, eviction: keepsEverything });
  const observer = { error() {}, up() {} };
  const catalog = await createCatalog({ directory: layout.root, onlyRecorded: true, observer });
  const health = { readFailed: async () => undefined, wrong: async () => undefined };
  const store = failing(disk, budget);
  const cache = new ManifestCache(store, health as never, 1024 * 1024);
  const record = failing(new ReferrerRecord({ directory: layout.root, observer }), budget);
  const parts = { catalog: failing(catalog, budget), cache, locks: new HostedLocks(), record };
  const indexes = new ReferrersIndexes(parts);
  const shelf = new ManifestShelf({ ...parts, indexes });
  const rules = new HostedRules({ delete: true, rules: [] });
  const namers = new Namers({ ...parts, layout });
  return {
    catalog,
    cache,
    record,
    indexes,
    shelf,
    push: new ManifestPush({ ...parts, store, shelf, rules }),
    deletion: new ManifestDeletion({ ...parts, shelf, namers, rules }),
    async placeBlob({ digest, bytes }: Content) {
      await disk.put(digest, bytes);
      await catalog.link(key, 'blobs', [{ digest, mediaType: 'a/b', size: bytes.length }]);
    },
    async close() {
      await disk.close();
      await catalog.close();
    },
  };
}

type Registry = Awaited<ReturnType<typeof open>>;

function put({ push }: Registry, reference: string, { mediaType, bytes }: Content) {
  const parsed = parseReference(reference);
  return push.put(route, { reference: parsed, tags: [], contentType: mediaType, bytes });
}

/** Whatever is found can be read to the end. */
async function assertSound({ catalog, cache, record, indexes }: Registry): Promise<void> {
  const tagged = new Set<string>();
  for (const tag of await catalog.tags(key)) {
    const { digest } = (await catalog.tag(key, tag))!;
    expect(await catalog.linked(key, 'manifests', digest)).toBeDefined();
    tagged.add(digest);
  }
  for (const digest of await catalog.members(key, 'manifests')) {
    const member = await catalog.linked(key, 'manifests', digest);
    const stored = await cache.get(digest, member!.mediaType);
    expect(stored).toBeDefined();
    const { manifests, blobs } = parseManifest(stored!.bytes, stored!.mediaType);
    for (const blob of blobs) expect(await catalog.linked(key, 'blobs', blob.digest)).toBeDefined();
    // An earlier list of referrers that has lost its tag is not kept in step.
    for (const child of tagged.has(digest) ? manifests : []) {
      expect(await catalog.linked(key, 'manifests', child.digest)).toBeDefined();
    }
  }
  for (const subject of await record.subjects(key, 'sha256', '')) {
    for (const { digest } of await indexes.referrers(key, subject)) {
      expect(await catalog.linked(key, 'manifests', digest)).toBeDefined();
    }
  }
}

const image = imageOf({ nr: 1 }, []);
const other = imageOf({ nr: 2 }, []);
const artifact = artifactOf(image.manifest, 'a/b', 'signed');
const second = artifactOf(image.manifest, 'a/b', 'signed again');
const fallback = content(
  Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [descriptorOf(artifact.manifest)] })),
  'application/vnd.oci.image.index.v1+json',
);
const fallbackTag = referrersTag(image.manifest.digest);

/** Where there was an image with a tag, an artifact about it, and a client's list of those. */
async function prepare(data: string): Promise<void> {
  const registry = await open(data);
  const all = [image, other, artifact, second];
  for (const blob of all.flatMap(({ blobs }) => blobs)) await registry.placeBlob(blob);
  await put(registry, 'v1', image.manifest);
  await put(registry, artifact.manifest.digest, artifact.manifest);
  await put(registry, fallbackTag, fallback);
  await registry.close();
}

const named = async ({ catalog }: Registry, tag: string) =>
  (await catalog.tag(key, tag as Tag))?.digest;
const isMember = async ({ catalog }: Registry, { digest }: Content) =>
  (await catalog.linked(key, 'manifests', digest)) !== undefined;

interface Change {
  readonly run: (registry: Registry) => Promise<unknown>;
  /** Whether all of it is to be seen. */
  readonly isDone: (registry: Registry) => Promise<boolean>;
}

const referrersOf = async ({ indexes }: Registry) =>
  (await indexes.referrers(key, image.manifest.digest)).map(({ digest }) => digest);

const changes: Record<string, Change> = {
  'a push that moves a tag': {
    run: (registry) => put(registry, 'v1', other.manifest),
    isDone: async (registry) => (await named(registry, 'v1')) === other.manifest.digest,
  },
  'a push of another artifact': {
    run: (registry) => put(registry, 'signature', second.manifest),
    isDone: async (registry) =>
      (await named(registry, 'signature')) === second.manifest.digest &&
      (await referrersOf(registry)).includes(second.manifest.digest),
  },
  'the deletion of an image': {
    run: ({ deletion }) => deletion.delete(route, image.manifest.digest),
    isDone: async (registry) =>
      !(await isMember(registry, image.manifest)) && (await named(registry, 'v1')) === undefined,
  },
  'the deletion of an artifact': {
    run: ({ deletion }) => deletion.delete(route, artifact.manifest.digest),
    isDone: async (registry) =>
      !(await isMember(registry, artifact.manifest)) && (await referrersOf(registry)).length === 0,
  },
  'the deletion of a tag': {
    run: ({ deletion }) => deletion.delete(route, 'v1' as Tag),
    isDone: async (registry) => (await named(registry, 'v1')) === undefined,
  },
};

let prepared: TempDir;
beforeAll(async () => {
  prepared = tempDir('prepared');
  await prepare(prepared.path);
});
afterAll(async () => {
  await prepared[Symbol.asyncDispose]();
});

describe.each(Object.entries(changes))('%s', (_, change) => {
  it.each(['before', 'after'] as const)(
    'leaves all that is found whole, wherever the disk gives up, and is done when it is tried again (%s)',
    async (fails) => {
      let steps = 0;
      for (let left = 0; ; left += 1) {
        await using folder = tempDir('crash');
        await cp(prepared.path, folder.path, { recursive: true, preserveTimestamps: true });
        const budget: Budget = { left, fails, used: 0 };
        const dying = await open(folder.path, budget);
        const outcome = await change.run(dying).then(
          () => 'acknowledged',
          () => 'failed',
        );
        // Also what is in memory must be no more than what is on the disk.
        await assertSound(dying);
        await dying.close();
        const restarted = await open(folder.path);
        await assertSound(restarted);
        if (outcome === 'acknowledged') {
          expect(await change.isDone(restarted)).toBe(true);
          await restarted.close();
          break;
        }
        steps += 1;
        await change.run(restarted).catch((error: unknown) => {
          // The very last step may have been done.
          expect(error).toMatchObject({ code: 'MANIFEST_UNKNOWN' });
        });
        expect(await change.isDone(restarted)).toBe(true);
        await assertSound(restarted);
        await restarted.close();
      }
      expect(steps).toBeGreaterThan(0);
    },
  );
});
