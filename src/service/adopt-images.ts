import type { PinRecord } from '../catalog/pin-record.ts';
import {
  Adoption,
  type AdoptingParts,
  type AdoptionOptions,
  type RepositoryContent,
} from '../bundle/adoption.ts';
import { maxBundleIndexSize, parseBundleIndex } from '../bundle/bundle-index.ts';
import { maxSignatureSize } from '../bundle/bundle-signature.ts';
import type { ImportEvent } from '../bundle/import-event.ts';
import { isStagingId, Staging } from '../bundle/staging.ts';
import { judge, type Trust } from '../bundle/trust.ts';
import { ticksWhile } from '../lib/ticks.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { placeOf, type PlaceNames } from '../registry/image-place.ts';
import type { Evictor } from '../store/evictor.ts';

export interface AdoptImagesOptions {
  /** The versioned data folder, `<data>/v1`. */
  readonly root: string;
  readonly parts: AdoptingParts;
  readonly names: PlaceNames;
  readonly trust: Trust;
  /** Whether everybody may read everything that is stored. */
  readonly isOpen: boolean;
  readonly pins: PinRecord;
  /** What is cached and keeps what comes in from being evicted before all of it is there. */
  readonly evictor: Pick<Evictor, 'shield'>;
  /** Told of each repository that has got something. */
  readonly adopted: (content: RepositoryContent) => void | Promise<void>;
}

/** What is to be adopted. */
export interface AdoptImagesParameters {
  /** The id of what was staged. */
  readonly staged: string;
  /** Never to evict what is cached of it. */
  readonly pin: boolean;
}

/** Milliseconds between two words about how far it has come. */
const interval = 250;

/**
 * Makes visible what was staged, and takes the staging away. What it begins it brings to its end, whoever
 * listens.
 * @throws RegistryError REQUEST_INVALID; and as {@link Adoption}, before anything is visible
 */
export async function* adoptImages(
  options: AdoptImagesOptions,
  { staged, pin }: AdoptImagesParameters,
): AsyncGenerator<ImportEvent> {
  const { root, parts, names, trust, isOpen, pins, evictor, adopted } = options;
  if (!isStagingId(staged)) throw new RegistryError('REQUEST_INVALID', 'nothing is staged so');
  const staging = new Staging(root, staged);
  const digests = await staging.read('baleen.json', maxBundleIndexSize);
  if (digests === undefined) {
    throw new RegistryError('REQUEST_INVALID', 'nothing is staged under this id; import again');
  }
  const signedBy = judge(trust, digests, await staging.read('baleen.sig', maxSignatureSize));
  const index = parseBundleIndex(digests);
  const contents = [...index.manifests, ...index.blobs];
  using _shield = evictor.shield(new Set(contents.map(({ digest }) => digest)));
  let bytes = 0;
  const adoption = await prepare({
    index,
    staging,
    parts,
    placeOf: (repository) => placeOf(repository, names),
    isTrusted: isOpen || signedBy !== undefined,
    onBytes: (count) => (bytes += count),
  });
  const pinned: string[] = [];
  const work = (async () => {
    await adoption.run();
    for (const content of adoption.contents) await adopted(content);
    if (pin) pinned.push(...(await pinAll(pins, names, index.images)));
    await staging.discard();
  })();
  try {
    for await (const _ of ticksWhile(work, interval)) {
      yield { kind: 'progress', bytes, total: adoption.bytes };
    }
  } finally {
    // Also where nobody listens any more.
    await work;
  }
  yield { kind: 'adopted', images: index.images.map(({ name }) => name), pinned };
}

/** Where what is staged may not come in, it goes. */
async function prepare(options: AdoptionOptions): Promise<Adoption> {
  try {
    return await Adoption.prepare(options);
  } catch (error) {
    if (!isRegistryError(error, 'UNAVAILABLE', 'UNKNOWN')) await options.staging.discard();
    throw error;
  }
}

/** Of what was pushed nothing is ever evicted: only what is cached needs a pin. */
async function pinAll(
  pins: PinRecord,
  names: PlaceNames,
  images: readonly { readonly name: string; readonly digest: string }[],
): Promise<string[]> {
  const pinned: string[] = [];
  for (const { name: full } of images) {
    const { name, tag, digest } = parseImageReference(full);
    const { part, key } = placeOf(name, names);
    const reference = tag ?? digest;
    if (part !== 'cached' || reference === undefined) continue;
    await pins.add({ repository: key, reference });
    pinned.push(full);
  }
  return pinned;
}
