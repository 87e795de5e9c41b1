import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, writeFileAtomic } from '../lib/atomic-file.ts';
import { isDigest } from '../oci/digest.ts';
import { isRegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import type { MissingImage } from './missing-images.ts';

/** Bytes that are read back: far more than are ever written. */
const maxSize = 64 * 1024 * 1024;

/** `<data>/v1/missing/images.jsonl`: what was asked for and is not here, one JSON document a line. */
export class MissingFile {
  readonly #path: string;
  readonly #tmpDir: string;

  /** @param directory the versioned data folder, `<data>/v1` */
  constructor(directory: string) {
    this.#path = join(directory, 'missing', 'images.jsonl');
    this.#tmpDir = join(directory, 'tmp');
  }

  /**
   * What was noted; lines that are none are passed over.
   * @throws the disk's error, or one that says that this cannot be the file
   */
  async read(): Promise<MissingImage[]> {
    try {
      const { size } = await stat(this.#path);
      if (size > maxSize) throw new Error(`${this.#path} is larger than ${maxSize} bytes`);
      const text = await readFile(this.#path, 'utf8');
      return text.split('\n').flatMap((line) => parseLine(line) ?? []);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** Writes them all anew. @throws the disk's error */
  async write(images: readonly MissingImage[]): Promise<void> {
    const lines = images.map((each) => `${JSON.stringify(each)}\n`).join('');
    await writeFileAtomic(this.#path, lines, { tmpDir: this.#tmpDir });
  }
}

/** What is printed goes to a terminal, and into `baleen warm`: nothing passes but what was written here. */
function parseLine(line: string): MissingImage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { image, tags, platform, blobs, count, first_asked, last_asked } = value as Record<
    keyof MissingImage,
    unknown
  >;
  if (!isImage(image) || !isCount(count) || !isTime(first_asked) || !isTime(last_asked)) {
    return undefined;
  }
  return {
    image,
    ...(Array.isArray(tags) && { tags: tags.filter(isImage) }),
    ...(isPlatform(platform) && { platform }),
    ...(Array.isArray(blobs) && { blobs: blobs.map(String).filter(isDigest) }),
    count,
    first_asked,
    last_asked,
  };
}

function isImage(value: unknown): value is string {
  if (typeof value !== 'string' || !/^[a-z0-9][\w.:/@-]*$/.test(value)) return false;
  try {
    const { tag, digest } = parseImageReference(value);
    return tag !== undefined || digest !== undefined;
  } catch (error) {
    if (isRegistryError(error)) return false;
    throw error;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);
}

function isPlatform(value: unknown): value is string {
  return typeof value === 'string' && /^[\w./:-]{1,100}$/.test(value);
}
