import type { Transform } from 'node:stream';
import type { BundleOutput } from './bundle-output.ts';
import { createCompressor, type CompressionChoice } from './compression.ts';

/** Compresses all that is written, for another output. */
export class CompressedOutput implements BundleOutput {
  readonly #inner: BundleOutput;
  readonly #stream: Transform;
  /** Settles when everything has been written on; rejects with what that failed with. */
  readonly #drained: Promise<void>;

  constructor(choice: CompressionChoice, inner: BundleOutput) {
    this.#inner = inner;
    this.#stream = createCompressor(choice);
    this.#drained = this.#drain();
    // It is looked at with the next write.
    this.#drained.catch(() => undefined);
  }

  async write(bytes: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<Error | null | undefined>();
    this.#stream.write(bytes, resolve);
    const error = await Promise.race([promise, this.#drained]);
    if (!error) return;
    // The stream only says that it was destroyed; why, this one knows.
    await this.#drained;
    throw error;
  }

  async finish(): Promise<void> {
    this.#stream.end();
    await this.#drained;
    await this.#inner.finish();
  }

  async abandon(): Promise<void> {
    this.#stream.destroy();
    await this.#drained.catch(() => undefined);
    await this.#inner.abandon();
  }

  async #drain(): Promise<void> {
    for await (const chunk of this.#stream) await this.#inner.write(chunk as Buffer);
  }
}
