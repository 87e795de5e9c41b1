/** An image to be warmed, as an operator writes it. */
export interface WarmImage {
  /** `docker.io/library/nginx:1.27`, by digest, or with a pattern for a tag: `nginx:1.2*`. */
  readonly reference: string;
  /** Overrides the platforms of all. */
  readonly platforms?: readonly string[];
  /** Of a pattern: how many of the newest versions; every tag that fits where absent. */
  readonly newest?: number;
}

/** What `POST /api/warm` and `baleen warm` are given. */
export interface WarmParameters {
  readonly images: readonly WarmImage[];
  /** `linux/amd64`, `linux/arm/v7`, or `all`; this machine's where absent. */
  readonly platforms?: readonly string[];
  /** Signatures, SBOMs and attestations, too. */
  readonly referrers?: boolean;
  /** Images, and blobs, at work at the same time; 4 where absent. */
  readonly jobs?: number;
  /** Manifests are read, and kept, and no blobs. */
  readonly dry_run?: boolean;
  /** Images are pinned as soon as they are found. */
  readonly pin?: boolean;
  /** Bytes a second over all of it. */
  readonly bandwidth?: number;
}
