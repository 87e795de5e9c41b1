import type { CatalogObserver } from '../catalog/catalog-observer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { ReferrerRecord } from '../catalog/referrer-record.ts';
import type { HostedLocks } from '../hosted/hosted-locks.ts';
import { HostedManifests, type HostedManifestObserver } from '../hosted/hosted-manifests.ts';
import { HostedReferrers } from '../hosted/hosted-referrers.ts';
import type { HostedRules } from '../hosted/hosted-rules.ts';
import { HostedTags } from '../hosted/hosted-tags.ts';
import { ManifestDeletion } from '../hosted/manifest-deletion.ts';
import { ManifestPush } from '../hosted/manifest-push.ts';
import { ManifestShelf } from '../hosted/manifest-shelf.ts';
import { Namers } from '../hosted/namers.ts';
import { ReferrersIndexes } from '../hosted/referrers-indexes.ts';
import type { Changes, Content } from '../http/content.ts';
import type { ManifestCache } from '../registry/manifest-cache.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Layout } from '../store/layout.ts';

export interface HostedManifestsParts {
  readonly layout: Layout;
  readonly catalog: Catalog;
  readonly store: BlobStore;
  readonly cache: ManifestCache;
  readonly locks: HostedLocks;
  readonly rules: HostedRules;
  readonly observer: HostedManifestObserver & CatalogObserver;
}

/** What of a hosted registry is about manifests. */
export interface HostedManifestsRooms {
  readonly content: Pick<Content<HostedRoute>, 'manifests' | 'tags' | 'referrers'>;
  readonly changes: Changes['manifests'];
  readonly shelf: ManifestShelf;
  readonly namers: Namers;
}

export function createHostedManifests(parts: HostedManifestsParts): HostedManifestsRooms {
  const { layout, catalog, store, cache, locks, rules, observer } = parts;
  const record = new ReferrerRecord({ directory: layout.root, observer });
  const indexes = new ReferrersIndexes({ catalog, cache, record });
  const shelf = new ManifestShelf({ catalog, cache, locks, record, indexes });
  const namers = new Namers({ catalog, layout });
  const push = new ManifestPush({ catalog, store, locks, shelf, rules });
  const deletion = new ManifestDeletion({ catalog, locks, shelf, namers, rules });
  return {
    content: {
      manifests: new HostedManifests({ catalog, cache, indexes, observer }),
      tags: new HostedTags(catalog),
      referrers: new HostedReferrers(indexes),
    },
    changes: {
      put: (route, manifest) => push.put(route, manifest),
      delete: (route, reference) => deletion.delete(route, reference),
    },
    shelf,
    namers,
  };
}
