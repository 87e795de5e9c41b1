import type { Digest } from '../oci/digest.ts';
import type { ErrorCode } from '../oci/errors.ts';

/** What became of an image. */
export type ImageResult =
  /** Something of it had to be fetched. */
  | 'warmed'
  /** All of it was there. */
  | 'present'
  | 'failed'
  /** Only looked at: something of it would have to be fetched. */
  | 'planned';

/** An image's manifests are in, so that its blobs are known. */
export interface ImagePlanned {
  readonly kind: 'planned';
  /** Its full name, as in the answer's other documents. */
  readonly image: string;
  readonly digest: Digest;
  /** Platforms chosen, such as `linux/arm64/v8`; empty where the image tells none. */
  readonly platforms: readonly string[];
  /** All blobs of it, each counted once. */
  readonly blobs: number;
  readonly bytes: number;
  /** Of these, what is in the store. */
  readonly present_blobs: number;
  readonly present_bytes: number;
}

/** How far it has come; now and then. */
export interface WarmProgress {
  readonly kind: 'progress';
  /** Bytes that have come so far. */
  readonly bytes: number;
  /** Bytes that had or have to come, as far as is known by now. */
  readonly total: number;
  readonly images_done: number;
  readonly images: number;
  /** The images that blobs are fetched for: of what had to come for each, the bytes that have. */
  readonly at_work?: readonly ImageProgress[];
}

/** How far one image has come. What other images have, too, is counted with each. */
export interface ImageProgress {
  readonly image: string;
  readonly bytes: number;
  readonly total: number;
}

/** An image is done. */
export interface ImageDone {
  readonly kind: 'image';
  readonly image: string;
  readonly result: ImageResult;
  readonly digest?: Digest;
  /** Bytes and blobs that were fetched for it and for no image before it; would be, of a dry run. */
  readonly fetched_bytes: number;
  readonly fetched_blobs: number;
  /** Of a failure. */
  readonly code?: ErrorCode;
  readonly message?: string;
}

/** An upstream lets the warmer wait; told once a wait. */
export interface WarmWaiting {
  readonly kind: 'waiting';
  readonly upstream: string;
  readonly seconds: number;
  /** `budget`: its quota is short. `rate-limit`: it said so. `unavailable`: it cannot be reached. */
  readonly reason: 'budget' | 'rate-limit' | 'unavailable';
}

/** Something that is worth a word and no failure, such as a store that is too small for the plan. */
export interface WarmNotice {
  readonly kind: 'notice';
  readonly message: string;
}

/** The end. */
export interface WarmSummary {
  readonly kind: 'summary';
  readonly images: number;
  readonly failed: number;
  readonly fetched_bytes: number;
  readonly fetched_blobs: number;
  readonly present_bytes: number;
  readonly present_blobs: number;
  readonly seconds: number;
  readonly dry_run: boolean;
}

/** What `POST /api/warm` and `baleen warm --json` tell, one document a line. */
export type WarmEvent =
  ImagePlanned | WarmProgress | ImageDone | WarmWaiting | WarmNotice | WarmSummary;
