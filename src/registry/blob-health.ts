import { SingleFlight } from '../lib/single-flight.ts';
import type { Digest } from '../oci/digest.ts';
import { isDamage } from '../store/damage.ts';
import type { FileId } from '../store/file-id.ts';
import { describeVerdict, type BlobVerdict } from '../store/verification.ts';
import type { Withdraw } from '../store/withdraw.ts';

export interface BlobHealthOptions {
  /** Hashes a stored blob again. */
  readonly verify: (digest: Digest) => Promise<BlobVerdict>;
  readonly withdraw: Withdraw;
}

/** What is done when a stored blob shows, while it is served, that something is wrong with it. */
export class BlobHealth {
  readonly #options: BlobHealthOptions;
  readonly #verifying = new SingleFlight<number | undefined>();

  constructor(options: BlobHealthOptions) {
    this.#options = options;
  }

  /**
   * Hears of a failed read, and takes the blob out of service where the disk cannot give it back.
   * What comes of trouble with the process or its rights says nothing about the blob.
   * @param file the file that was read, where that is known: another one in its place stays
   */
  async readFailed(digest: Digest, error: unknown, file?: FileId): Promise<void> {
    const cause = isDamage(error) ? error : (error as Error | undefined)?.cause;
    if (!isDamage(cause)) return;
    const detail = (cause as Error).message;
    await this.#options.withdraw({ digest, finder: 'serving', detail, file });
  }

  /**
   * Hears that bytes which were read are not those of the digest, and takes the blob out of service
   * where that is so: a right one may have been pushed into its place meanwhile.
   */
  async wrong(digest: Digest): Promise<void> {
    await this.sizeOf(digest);
  }

  /**
   * Hashes a blob whose size cannot be relied on, once for all who ask at a time; what is wrong is
   * taken out of service.
   * @returns its bytes where it is right
   */
  sizeOf(digest: Digest): Promise<number | undefined> {
    return this.#verifying.run(digest, async () => {
      const verdict = await this.#options.verify(digest);
      if (verdict.kind === 'good') return verdict.size;
      if (verdict.kind === 'wrong' || verdict.kind === 'damaged') {
        const { file } = verdict;
        const detail = describeVerdict(verdict);
        await this.#options.withdraw({ digest, finder: 'serving', detail, file });
      }
      return undefined;
    });
  }
}
