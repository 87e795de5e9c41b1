import type { Catalog } from '../catalog/catalog.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { QualifiedName } from '../oci/repository-name.ts';

/** A store with its record, to be looked at. */
export interface ImageSource {
  readonly catalog: Pick<Catalog, 'tag' | 'tags' | 'linked'>;
  /** The whole of a blob; undefined where it is not there or has more bytes than the limit. */
  readonly read: (digest: Digest, limit: number) => Promise<Buffer | undefined>;
  /** Bytes of a blob; undefined where it is not there. */
  readonly sizeOf: (digest: Digest) => Promise<number | undefined>;
  /** Where its file lies. */
  readonly pathOf: (digest: Digest) => string;
  /** What is known to refer to a manifest. */
  readonly referrers: (
    repository: QualifiedName,
    subject: Digest,
  ) => Promise<readonly Descriptor[]>;
}
