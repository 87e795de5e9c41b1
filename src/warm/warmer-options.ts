import type { Catalog } from '../catalog/catalog.ts';
import type { Pin } from '../catalog/pin-record.ts';
import type { Digest } from '../oci/digest.ts';
import type { RegistryError } from '../oci/errors.ts';
import type { Reference } from '../oci/reference.ts';
import type { BlobFiller } from '../registry/fill-blob.ts';
import type { ManifestService } from '../registry/get-manifest.ts';
import type { ReferrerListService } from '../registry/list-referrers.ts';
import type { TagListService } from '../registry/list-tags.ts';
import type { HostedRoute, RouteTable } from '../registry/resolve-route.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { PatienceOptions } from './patience.ts';

/** Told of what went wrong; for the log, since a message for operators leaves causes out. */
export interface WarmObserver {
  imageFailed(image: string, error: RegistryError): void;
}

export interface WarmerOptions {
  readonly table: RouteTable;
  readonly catalog: Catalog;
  readonly store: Pick<BlobStore, 'stat' | 'used'>;
  readonly content: {
    readonly manifests: Pick<ManifestService, 'get'>;
    readonly referrers: Pick<ReferrerListService, 'list'>;
    readonly tags: Pick<TagListService, 'list'>;
  };
  readonly filler: BlobFiller;
  /** What was pushed here; each throws a RegistryError where it is not there. */
  readonly hosted: {
    digest(route: HostedRoute, reference: Reference): Promise<Digest>;
    tags(route: HostedRoute): Promise<readonly string[]>;
  };
  /** Sees to it that an image is never evicted. */
  readonly pin: (pin: Pin) => Promise<void>;
  /** Bytes that the store may hold; undefined for no limit. */
  readonly maxSize: number | undefined;
  readonly patience: PatienceOptions;
  readonly observer: WarmObserver;
}
