import { RegistryError } from '../oci/errors.ts';
import type { ImageDone } from './warm-event.ts';

/** What of an image came all the same. */
export type Fetched = Pick<ImageDone, 'digest' | 'fetched_bytes' | 'fetched_blobs'>;

/** A blob of an image could not be had; others may have come. */
export class FailedFetch extends RegistryError {
  readonly fetched: Fetched;

  constructor(
    code: RegistryError['code'],
    message: string,
    options: { readonly cause: RegistryError },
    fetched: Fetched,
  ) {
    super(code, message, options);
    this.fetched = fetched;
  }
}
