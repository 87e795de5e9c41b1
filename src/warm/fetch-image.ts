import { RegistryError, toRegistryError } from '../oci/errors.ts';
import type { ProxiedRoute } from '../registry/resolve-route.ts';
import type { BlobFetches } from './blob-fetches.ts';
import type { Followed } from './follow-image.ts';
import type { ImageDone } from './warm-event.ts';

/** What came of an image. */
export type Fetched = Pick<ImageDone, 'digest' | 'fetched_bytes' | 'fetched_blobs'>;

/**
 * Has all blobs of an image stored that are not. One that cannot be had does not keep the others from
 * coming: the next run finds them.
 * @throws FailedFetch, with the first failure; or the signal's reason
 */
export async function fetchImage(
  blobs: BlobFetches,
  route: ProxiedRoute,
  { digest, found, hasFetched }: Followed,
  signal: AbortSignal,
): Promise<Fetched & Pick<ImageDone, 'result'>> {
  const wanted = [...found.missing, ...found.unconfirmed];
  const ended = await Promise.allSettled(wanted.map((blob) => blobs.fetch(route, blob)));
  signal.throwIfAborted();
  const amounts = ended.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const fetched = {
    digest,
    fetched_bytes: amounts.reduce((sum, { bytes }) => sum + bytes, 0),
    fetched_blobs: amounts.reduce((sum, amount) => sum + amount.blobs, 0),
  };
  const nth = ended.findIndex(({ status }) => status === 'rejected');
  const failure = ended[nth];
  if (failure?.status === 'rejected') {
    throw new FailedFetch(`blob ${wanted[nth]?.digest}`, failure.reason, fetched);
  }
  return { result: hasFetched || wanted.length > 0 ? 'warmed' : 'present', ...fetched };
}

/** A blob of an image could not be had; others may have come. */
export class FailedFetch extends RegistryError {
  readonly fetched: Fetched;

  constructor(what: string, reason: unknown, fetched: Fetched) {
    const cause = toRegistryError(reason);
    super(cause.code, `${what}: ${cause.message}`, { cause });
    this.fetched = fetched;
  }
}
