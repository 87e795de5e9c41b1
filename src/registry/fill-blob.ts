import { untilAborted } from '../lib/until-aborted.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobReader } from '../store/blob-reader.ts';
import type { Download } from './download.ts';
import type { BlobAnswer, BlobService } from './get-blob.ts';
import type { DownloadPace } from './hold-back.ts';
import type { ProxiedRoute } from './resolve-route.ts';

export interface FillOptions {
  /**
   * Holds back a download that is started here, until somebody joins it who is in a hurry; undefined
   * for who is.
   */
  readonly pace: DownloadPace | undefined;
  /**
   * Told of the download that is waited for; of a small one when all of it has come.
   * @param isOurs whether it was started here
   */
  readonly follows: (download: Download, isOurs: boolean) => void;
}

/**
 * Makes blobs stored, and permitted in their repository, where no client waits for them: joins the
 * download that is running, or starts one, and waits for its end.
 */
export class BlobFiller {
  readonly #blobs: Pick<BlobService, 'open'>;

  constructor(blobs: Pick<BlobService, 'open'>) {
    this.#blobs = blobs;
  }

  /**
   * Settles when the blob is in the store.
   * @returns the download that brought it; undefined where it was there
   * @throws RegistryError BLOB_UNKNOWN, or the upstream's failure; UNAVAILABLE where it could not be
   *   kept; or the signal's reason, and a download that nobody else reads is given up then
   */
  async fill(
    route: ProxiedRoute,
    digest: Digest,
    options: FillOptions,
    signal: AbortSignal,
  ): Promise<Download | undefined> {
    for (let isFirst = true; ; isFirst = false) {
      const answer = await this.#open(route, digest, options.pace, signal);
      const { reader, download, outcome } = answer;
      if (download === undefined) {
        reader.close();
        return undefined;
      }
      options.follows(download, outcome.kind === 'miss');
      try {
        await untilKept(download, reader, signal);
        return download;
      } catch (error) {
        // What was started for somebody else may have failed for reasons of theirs.
        if (signal.aborted || !isFirst || outcome.kind === 'miss') throw error;
      } finally {
        leave(answer, signal);
      }
    }
  }

  async #open(
    route: ProxiedRoute,
    digest: Digest,
    pace: DownloadPace | undefined,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    signal.throwIfAborted();
    const opening = this.#blobs.open(route, digest, pace);
    try {
      return await untilAborted(opening, signal);
    } catch (error) {
      // It may still come to be opened, for nobody.
      if (signal.aborted) opening.then((answer) => leave(answer, signal)).catch(() => undefined);
      throw error;
    }
  }
}

/**
 * Follows a download to its end. What the disk does not take passes through memory at the pace of the
 * slowest reader, so who only wants it kept leaves then.
 */
async function untilKept(
  download: Download,
  reader: BlobReader,
  signal: AbortSignal,
): Promise<void> {
  for (let position = 0, isOver = false; !isOver;) {
    const arrived = await untilAborted(reader.arrival(position), signal);
    position += arrived;
    isOver = arrived === 0;
    if (!download.blob.isKept) break;
  }
  if (download.blob.isKept) {
    await untilAborted(download.ended, signal);
    if (download.state === 'committed') return;
  }
  throw download.failure ?? new RegistryError('UNAVAILABLE', notKept);
}

const notKept =
  'the blob could not be kept: the disk is full or refuses, or the blob is larger than storage.max_size';

/** Closes the reader. A download that was started for a wish that is no longer there ends, too. */
function leave({ reader, download, outcome }: BlobAnswer, signal: AbortSignal): void {
  reader.close();
  if (download === undefined || outcome.kind !== 'miss' || !signal.aborted) return;
  if (download.blob.readers > 0 || download.state === 'verified') return;
  download.cancel(new RegistryError('UNAVAILABLE', 'nobody wants the blob any more'));
}
