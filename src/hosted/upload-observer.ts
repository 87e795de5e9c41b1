/**
 * How an upload ended:
 * - `finished`: its blob is stored
 * - `cancelled`: by the client; `expired`: nobody came back to it
 * - `digest`: the bytes were not those of the digest
 * - `size`: larger than `hosted.max_blob_size`
 * - `disk`: the disk refused
 */
export type UploadResult = 'finished' | 'cancelled' | 'expired' | 'digest' | 'size' | 'disk';

/** Where a mounted blob came from, or that it was not mounted and has to be uploaded. */
export type MountResult = 'hosted' | 'cached' | 'none';

/** Told of what is pushed; telemetry implements it. No call may throw. */
export interface UploadObserver {
  /** Bytes of a blob came. */
  received(bytes: number): void;
  ended(result: UploadResult): void;
  mounted(result: MountResult): void;
  /** The remains of an upload could not be removed, or looked at; it is tried again later. */
  leftBehind(error: unknown): void;
}
