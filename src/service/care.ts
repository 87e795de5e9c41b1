import { Pace } from '../lib/pace.ts';
import type { Digest } from '../oci/digest.ts';
import { BlobHealth } from '../registry/blob-health.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Layout } from '../store/layout.ts';
import { Quarantine } from '../store/quarantine.ts';
import { verifyBlob } from '../store/verification.ts';
import { createWithdraw, type Withdraw, type WithdrawOptions } from '../store/withdraw.ts';

export interface CareOptions {
  readonly layout: Layout;
  readonly store: BlobStore;
  /** Bytes that wrong files may take. */
  readonly limit: number;
  /** Lets go of what is held in memory. */
  readonly forget: (digest: Digest) => void;
  readonly observer: WithdrawOptions['observer'];
  readonly signal: AbortSignal;
}

/** What a store needs so that nothing wrong is served from it twice. */
export interface Care {
  readonly quarantine: Quarantine;
  /** The one way out of service for a blob that is found wrong. */
  readonly withdraw: Withdraw;
  /** What serving does about it. */
  readonly health: BlobHealth;
}

export function createCare(options: CareOptions): Care {
  const { layout, store, limit, forget, observer, signal } = options;
  const quarantine = new Quarantine({
    layout,
    limit,
    remove: (digest, only) => store.delete(digest, only),
  });
  const withdraw = createWithdraw({ quarantine, forget, observer });
  const verify = (digest: Digest): ReturnType<typeof verifyBlob> =>
    verifyBlob(layout.blob(digest), digest, {
      pace: new Pace(Infinity),
      onBytes: () => undefined,
      signal,
    });
  return { quarantine, withdraw, health: new BlobHealth({ withdraw, verify }) };
}
