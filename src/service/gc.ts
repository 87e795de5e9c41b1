import type { ApiAction } from '../http/operations-api.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import type { HostedUpkeep } from './hosted-upkeep.ts';
import { gcParameters } from './purge-parameters.ts';
import { collectGarbage } from './store.ts';

/** What is collected, and how. */
export interface GcOptions {
  readonly store: DiskBlobStore;
  /** The age at which an abandoned partial download goes, in milliseconds. */
  readonly spoolTtl: number;
  readonly upkeep: HostedUpkeep;
  /** Ends what is done behind the service. */
  readonly signal: AbortSignal;
}

/** `POST /api/gc` */
export function gcAction({ store, spoolTtl, upkeep, signal }: GcOptions): ApiAction {
  return async (given, left) => {
    const { dryRun } = gcParameters(given);
    const cached = await collectGarbage(store, spoolTtl, dryRun);
    const hosted = await upkeep.collect(dryRun, AbortSignal.any([signal, left]));
    return { ...cached, hosted };
  };
}
