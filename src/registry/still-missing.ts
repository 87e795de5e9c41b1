import type { Catalog } from '../catalog/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { MissingImage } from './missing-images.ts';

/** Where to look whether something is here. */
export interface Holdings {
  readonly catalog: Pick<Catalog, 'tag' | 'linked'>;
  /** Bytes of a stored blob or manifest. */
  readonly sizeOf: (digest: Digest) => Promise<number | undefined>;
}

/** Whether what an image was noted for is still not here. */
export async function isStillMissing(
  { image, blobs }: MissingImage,
  holdings: Holdings,
): Promise<boolean> {
  if (!(await isManifestHere(image, holdings))) return true;
  for (const blob of blobs ?? []) {
    if ((await holdings.sizeOf(blob)) === undefined) return true;
  }
  return false;
}

async function isManifestHere(image: string, { catalog, sizeOf }: Holdings): Promise<boolean> {
  const { name, tag, digest } = parseImageReference(image);
  const repository = name as QualifiedName;
  const found =
    digest === undefined
      ? tag && (await catalog.tag(repository, tag))
      : await catalog.linked(repository, 'manifests', digest);
  return found !== undefined && (await sizeOf(found.digest)) !== undefined;
}
