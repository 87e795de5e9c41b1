import type { KeyObject } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { BlockWriter } from '../lib/block-writer.ts';
import { isMissing } from '../lib/atomic-file.ts';
import { Digester, splitDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { frontOf } from './bundle-front.ts';
import type { BundledContent } from './bundle-index.ts';
import { pathOf } from './bundle-layout.ts';
import type { BundleOutput } from './bundle-output.ts';
import type { BundlePlan } from './bundle-plan.ts';
import { padding, tarEnd, tarHeader, tarSize } from './tar-header.ts';

export interface BundleWriterOptions {
  /** What to sign the digest index with. */
  readonly key: KeyObject | undefined;
  /** Told of bytes of the bundle as they come to be. */
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

/** How many bytes a bundle has, before it is compressed. */
export function bundleSize(plan: BundlePlan, key: KeyObject | undefined): number {
  const front = frontOf(plan, key).map(({ path, bytes }) => tarSize(path, bytes.length));
  const rest = contentsOf(plan).map(({ digest, size }) => tarSize(pathOf(digest), size));
  return [...front, ...rest].reduce((sum, size) => sum + size, tarEnd.length);
}

/**
 * Writes a bundle. Every file is hashed as it goes out; the output looks finished only when all were
 * right.
 * @throws RegistryError BLOB_UNKNOWN or DIGEST_INVALID for a file that has gone meanwhile or is not
 *   what its name says, SIZE_LIMIT; the signal's reason; or what the output fails with
 */
export async function writeBundle(
  plan: BundlePlan,
  output: BundleOutput,
  options: BundleWriterOptions,
): Promise<void> {
  const writer = new BundleWriter(output, options);
  try {
    await writer.write(plan);
    await output.finish();
  } catch (error) {
    await writer.settled();
    await output.abandon();
    throw error;
  }
}

function contentsOf({ manifests, blobs }: BundlePlan): readonly BundledContent[] {
  return [...manifests, ...blobs.filter(({ included }) => included)];
}

class BundleWriter {
  readonly #blocks: BlockWriter;
  readonly #options: BundleWriterOptions;

  constructor(output: BundleOutput, options: BundleWriterOptions) {
    this.#blocks = new BlockWriter((block) => output.write(block));
    this.#options = options;
  }

  async write(plan: BundlePlan): Promise<void> {
    for (const { path, bytes } of frontOf(plan, this.#options.key)) {
      await this.#put(tarHeader(path, bytes.length));
      await this.#put(bytes);
      await this.#put(padding(bytes.length));
    }
    for (const content of contentsOf(plan)) {
      await this.#put(tarHeader(pathOf(content.digest), content.size));
      await this.#copy(plan.pathOf(content.digest), content);
      await this.#put(padding(content.size));
    }
    await this.#put(tarEnd);
    await this.#blocks.end();
  }

  settled(): Promise<void> {
    return this.#blocks.settled();
  }

  async #put(bytes: Buffer): Promise<void> {
    await this.#blocks.put(bytes);
    this.#options.onBytes(bytes.length);
  }

  async #copy(path: string, content: BundledContent): Promise<void> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      if (isMissing(error)) throw gone(content);
      throw error;
    }
    try {
      const actual = await this.#hash(file, content);
      if (actual !== content.digest) throw damaged(content);
    } finally {
      // It was only read: a failing close has nothing to lose.
      await file.close().catch(() => undefined);
    }
  }

  /** Reads a file into the blocks. While its bytes are hashed here, others read the next and write the last. */
  async #hash(file: FileHandle, content: BundledContent): Promise<string> {
    const { signal, onBytes } = this.#options;
    const digester = new Digester(splitDigest(content.digest).algorithm);
    let fresh: Buffer | undefined;
    for (let at = 0; at < content.size || fresh !== undefined;) {
      signal.throwIfAborted();
      const reading = at < content.size ? this.#read(file, at, content) : undefined;
      // It is awaited below, whatever happens until then.
      reading?.catch(() => undefined);
      if (fresh !== undefined) {
        digester.update(fresh);
        onBytes(fresh.length);
      }
      fresh = await reading;
      at += fresh?.length ?? 0;
    }
    return digester.digest();
  }

  async #read(file: FileHandle, at: number, content: BundledContent): Promise<Buffer> {
    const space = await this.#blocks.space();
    const length = Math.min(space.length, content.size - at);
    const { bytesRead } = await file.read(space, 0, length, at);
    if (bytesRead === 0) throw damaged(content);
    this.#blocks.advance(bytesRead);
    return space.subarray(0, bytesRead);
  }
}

function gone({ digest }: BundledContent): RegistryError {
  return new RegistryError(
    'BLOB_UNKNOWN',
    `${digest} has gone since the export began: it was evicted or purged; pin what is exported, and run it again`,
  );
}

function damaged({ digest }: BundledContent): RegistryError {
  return new RegistryError(
    'DIGEST_INVALID',
    `the file of ${digest} is damaged: baleen verify --repair takes it away, and baleen warm brings it back`,
  );
}
