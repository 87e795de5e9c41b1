import type { Digest } from '../oci/digest.ts';
import type { Quarantine } from './quarantine.ts';
import type { FileId } from './file-id.ts';

/** Who noticed that a stored blob is wrong. */
export type Finder = 'scrub' | 'verify' | 'serving';

/** A stored blob that was found wrong. */
export interface WrongBlob {
  readonly digest: Digest;
  readonly finder: Finder;
  /** What is wrong, for a person. */
  readonly detail: string;
  /** The file that is wrong, where that is known: another one in its place stays. */
  readonly file?: FileId | undefined;
}

/**
 * Takes a wrong blob out of service; the next who asks for it has it fetched again.
 * @returns whether it was there
 */
export type Withdraw = (blob: WrongBlob) => Promise<boolean>;

export interface WithdrawOptions {
  readonly quarantine: Pick<Quarantine, 'takeBlob'>;
  /** Lets go of what is held in memory. */
  readonly forget: (digest: Digest) => void;
  readonly observer: WithdrawObserver;
}

/** Told of blobs that were taken out of service, and of failures to do so. */
export interface WithdrawObserver {
  quarantined(blob: WrongBlob): void;
  notQuarantined(blob: WrongBlob, error: unknown): void;
}

/** Makes the one way out of service. It never rejects: what cannot be moved is told, and stays. */
export function createWithdraw({ quarantine, forget, observer }: WithdrawOptions): Withdraw {
  return async (blob) => {
    try {
      const isTaken = await quarantine.takeBlob(blob.digest, blob.file);
      if (isTaken) observer.quarantined(blob);
      return isTaken;
    } catch (error) {
      observer.notQuarantined(blob, error);
      return false;
    } finally {
      forget(blob.digest);
    }
  };
}
