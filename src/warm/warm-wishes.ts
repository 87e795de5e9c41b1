import type { Platforms } from '../oci/platform.ts';

/** One image, or a pattern that stands for several. */
export interface WarmWish {
  readonly reference: string;
  readonly platforms: Platforms;
  /** Of a pattern: how many of the newest versions; undefined for every tag that fits. */
  readonly newest?: number | undefined;
}

/** What one run is to do. */
export interface WarmWishes {
  readonly images: readonly WarmWish[];
  /** Signatures, SBOMs and attestations, too. */
  readonly referrers: boolean;
  /** Images of an upstream, and blobs, at work at the same time. */
  readonly jobs: number;
  /** Manifests are read, and kept; blobs are not. */
  readonly dryRun: boolean;
  readonly pin: boolean;
  /** Bytes a second over all of it; Infinity for no limit. */
  readonly bandwidth: number;
}
