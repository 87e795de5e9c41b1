import { join } from 'node:path';
import type { CatalogObserver } from '../catalog/catalog-observer.ts';
import { createCatalog } from '../catalog/create-catalog.ts';
import type { Config } from '../config/config.ts';
import { HostedLocks } from '../hosted/hosted-locks.ts';
import { HostedRules } from '../hosted/hosted-rules.ts';
import { ImageAdoption } from '../hosted/image-adoption.ts';
import { BufferPool } from '../lib/buffer-pool.ts';
import { BlobHealth } from '../registry/blob-health.ts';
import { ManifestCache } from '../registry/manifest-cache.ts';
import { DiskBlobStore } from '../store/disk-blob-store.ts';
import { Layout } from '../store/layout.ts';
import type { HostedParts } from './hosted-collection.ts';
import { createHostedManifests } from './hosted-manifests.ts';
import { keepsEverything } from './store.ts';

/** Where whoever works on what was pushed says so: there is to be one at a time. */
export function signFile(layout: Layout): string {
  return join(layout.root, 'in-use.json');
}

/** What was pushed, for a command that works on it while no Baleen runs. */
export interface HostedWorkbench extends HostedParts, AsyncDisposable {
  /** Takes in what was verified elsewhere; nobody is asked first. */
  readonly adoption: ImageAdoption;
}

/**
 * Opens what was pushed, and changes nothing yet.
 * @param mayChange called before each removal; what it throws ends the work
 */
export async function openHostedWorkbench(
  config: Config,
  observer: CatalogObserver,
  mayChange: () => Promise<void>,
): Promise<HostedWorkbench> {
  const layout = new Layout(config.storage.directory, 'hosted');
  const store = new DiskBlobStore({ layout, pool: new BufferPool(0), eviction: keepsEverything });
  const catalog = await createCatalog({ directory: layout.root, onlyRecorded: true, observer });
  const locks = new HostedLocks();
  // What is wrong stays where it is: verify is there for that.
  const health = new BlobHealth({
    withdraw: () => Promise.resolve(false),
    verify: () => Promise.resolve({ kind: 'gone' }),
  });
  const cache = new ManifestCache(store, health, config.storage.manifest_cache);
  const rules = new HostedRules(config.hosted);
  const { shelf } = createHostedManifests({
    layout,
    catalog,
    store,
    cache,
    locks,
    rules,
    observer: { ...observer, lost: () => undefined },
  });
  const parts: HostedParts = {
    layout,
    store,
    catalog,
    locks,
    removal: shelf,
    remove: (digest) => store.delete(digest),
  };
  const adoption = new ImageAdoption({ layout, store, catalog, locks, rules, shelf });
  return { ...guarded(parts, mayChange), adoption, [Symbol.asyncDispose]: () => catalog.close() };
}

/** The same, but for each change somebody is asked first. */
function guarded(parts: HostedParts, mayChange: () => Promise<void>): HostedParts {
  const { catalog, removal, remove } = parts;
  const first =
    <A extends readonly unknown[], T>(change: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      await mayChange();
      return change(...args);
    };
  return {
    ...parts,
    catalog: {
      unlink: first((repository, kind, digests) => catalog.unlink(repository, kind, digests)),
      prune: first((repository) => catalog.prune(repository)),
    },
    removal: {
      deleteTag: first((repository, tag) => removal.deleteTag(repository, tag)),
      deleteUntagged: first((repository, digest) => removal.deleteUntagged(repository, digest)),
    },
    remove: first(remove),
  };
}
