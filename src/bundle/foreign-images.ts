import { isDescriptor, type Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import { isManifestType, mediaTypes } from '../oci/media-type.ts';
import { BundleGraph } from './bundle-graph.ts';
import { parseBundleIndex, type BundleIndex } from './bundle-index.ts';
import { nameAnnotations } from './bundle-layout.ts';
import { manifestOf, parseJson, parseSavedImages } from './docker-archive.ts';
import { invalidBundle } from './faults.ts';
import type { ForeignNames } from './foreign-names.ts';
import { ForeignWalk, type Root } from './foreign-walk.ts';
import type { ForeignArchive } from './stage-foreign.ts';
import type { IsStored, Staging } from './staging.ts';

/** What an archive that others have written turned out to hold, put as a bundle's index would put it. */
export interface ForeignImages {
  readonly kind: 'oci' | 'docker';
  readonly index: BundleIndex;
  /** The bytes of that index. */
  readonly digests: Buffer;
  readonly graph: BundleGraph;
}

/**
 * Finds the images of an archive.
 * @throws RegistryError BUNDLE_INVALID, BUNDLE_INCOMPLETE, MANIFEST_INVALID; REQUEST_INVALID and the like
 *   for what is called as nothing here can be called
 */
export async function foreignImages(
  archive: ForeignArchive,
  staging: Staging,
  names: ForeignNames,
  isStored: IsStored,
): Promise<ForeignImages> {
  const saved = archive.document('manifest.json');
  if (!archive.isLayout && saved === undefined) {
    throw invalidBundle(
      'it is neither a bundle of Baleen, nor an OCI archive (oci-layout, index.json), nor what docker save writes (manifest.json)',
    );
  }
  if (archive.isLayout) archive.assertNoLinks();
  const kind = archive.isLayout ? 'oci' : 'docker';
  const roots =
    kind === 'oci'
      ? layoutRoots(archive, names)
      : await savedRoots(archive, staging, names, saved ?? Buffer.alloc(0));
  names.assertUsed();
  const walk = new ForeignWalk(archive, staging, isStored);
  for (const { manifest } of roots) await walk.from(manifest);
  const index = walk.index(roots, digestOf(archive.document('index.json') ?? Buffer.alloc(0)));
  const digests = Buffer.from(JSON.stringify(index));
  const parsed = parseBundleIndex(digests);
  return { kind, index: parsed, digests, graph: new BundleGraph(parsed, walk.nodes) };
}

/** What `index.json` names (image-spec, image-layout.md, "index.json file"). */
function layoutRoots(archive: ForeignArchive, names: ForeignNames): Root[] {
  const document = parseJson(archive.document('index.json') ?? Buffer.alloc(0), 'index.json');
  const { manifests } = (document ?? {}) as { manifests?: unknown };
  if (!Array.isArray(manifests) || !manifests.every(isDescriptor)) {
    throw invalidBundle('index.json is malformed');
  }
  const roots = manifests.map((descriptor: Descriptor): Root => {
    const { digest, mediaType, size, annotations, artifactType } = descriptor;
    if (!isManifestType(mediaType)) {
      throw invalidBundle(
        `index.json names ${digest}, which is no manifest (${mediaType.slice(0, 100)})`,
      );
    }
    const said = annotations?.[nameAnnotations.containerd] ?? annotations?.[nameAnnotations.ref];
    const isReferrer = said === undefined && artifactType !== undefined;
    return { manifest: { digest, mediaType, size }, names: isReferrer ? [] : [names.of(said)] };
  });
  // Named twice, first by a type that other clients find it by: the last is right, as for containerd.
  return [
    ...new Map(roots.map((root) => [`${root.manifest.digest} ${root.names[0]}`, root])).values(),
  ];
}

/** What `manifest.json` names; each gets a manifest of its own. */
async function savedRoots(
  archive: ForeignArchive,
  staging: Staging,
  names: ForeignNames,
  saved: Buffer,
): Promise<Root[]> {
  const roots: Root[] = [];
  for (const image of parseSavedImages(saved)) {
    const config = archive.find(image.config);
    const bytes = await archive.read(config.digest);
    if (bytes === undefined) throw invalidBundle(`the config ${config.digest} is too large`);
    const layers = [];
    for (const path of image.layers) {
      const layer = archive.find(path);
      layers.push({ ...layer, compression: await archive.compressionOf(layer.digest) });
    }
    const manifest = manifestOf(config, bytes, layers);
    const digest = digestOf(manifest);
    await staging.put(digest, manifest);
    roots.push({
      manifest: { digest, mediaType: mediaTypes.ociManifest, size: manifest.length },
      names:
        image.names.length === 0
          ? [names.of(undefined)]
          : image.names.map((name) => names.of(name)),
    });
  }
  await staging.settled();
  return roots;
}
