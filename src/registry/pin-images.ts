import type { Pin, PinRecord } from '../catalog/pin-record.ts';
import { RegistryError } from '../oci/errors.ts';
import { imageName } from '../oci/image-reference.ts';
import type { Tag } from '../oci/reference.ts';
import { parseImageTarget, type UpstreamNames } from './image-target.ts';

/** What pinning, unpinning and listing tell. */
export interface PinReport {
  /** The images that were pinned, were taken off, or are pinned: full names. */
  readonly images: readonly string[];
  /** Those that were to be taken off and were not pinned. */
  readonly missing: readonly string[];
}

/**
 * Pins images: what is cached of them, and what comes later, is never evicted.
 * @param texts as users write them; without a tag, `latest`
 * @throws RegistryError as for names and references, before anything is pinned; or what the disk
 *   fails with
 */
export async function pinImages(
  pins: PinRecord,
  texts: readonly string[],
  names: UpstreamNames,
): Promise<PinReport> {
  const wanted = texts.map((text) => parsePin(text, names));
  for (const pin of wanted) await pins.add(pin);
  return { images: wanted.map(nameOf), missing: [] };
}

/** Takes pins off; the images stay until their room is needed. */
export async function unpinImages(
  pins: PinRecord,
  texts: readonly string[],
  names: UpstreamNames,
): Promise<PinReport> {
  const images: string[] = [];
  const missing: string[] = [];
  for (const pin of texts.map((text) => parsePin(text, names))) {
    ((await pins.remove(pin)) ? images : missing).push(nameOf(pin));
  }
  return { images, missing };
}

/** The images that are pinned, in ASCII order of their repositories. */
export async function listPins(pins: PinRecord): Promise<PinReport> {
  return { images: (await pins.all()).map(nameOf), missing: [] };
}

function parsePin(text: string, names: UpstreamNames): Pin {
  const target = parseImageTarget(text, names, () => false);
  switch (target.kind) {
    case 'tag':
      return { repository: target.repository, reference: target.tag };
    case 'manifest':
      return { repository: target.repository, reference: target.digest };
    case 'repository':
      return { repository: target.repository, reference: 'latest' as Tag };
    case 'digest':
      throw new RegistryError('NAME_INVALID', 'a pin needs the image: write name@digest');
  }
}

function nameOf({ repository, reference }: Pin): string {
  return imageName(repository, reference);
}
