/** `warm`: images that are fetched before anybody asks for them. */
export interface WarmConfig {
  /** Such as `linux/amd64`, or `all`. */
  readonly platforms: readonly string[];
  /** Images, and blobs, at work at the same time. */
  readonly jobs: number;
  /** Bytes a second, all together; undefined for as fast as it goes. */
  readonly bandwidth?: number | undefined;
  /** By name. */
  readonly schedules: Readonly<Record<string, WarmScheduleConfig>>;
  /** What clients pull most is kept fresh; undefined where it is not even counted. */
  readonly observed?: ObservedUseConfig | undefined;
}

export interface WarmScheduleConfig {
  /** As people write them; a tag may be a pattern. */
  readonly images: readonly string[];
  /** Paths of files that name images, read again at each run. */
  readonly files: readonly string[];
  readonly cron: string;
  readonly time_zone: string;
  /** Those of all schedules where undefined. */
  readonly platforms?: readonly string[] | undefined;
  /** Signatures, SBOMs and attestations, too. */
  readonly referrers: boolean;
  /** What is warmed is never evicted. */
  readonly pin: boolean;
  /** Of the tags that fit a pattern, so many of the newest versions; undefined for all of them. */
  readonly newest?: number | undefined;
}

export interface ObservedUseConfig {
  /** So many of the images that were pulled most. */
  readonly keep: number;
  /** So many days count, today included. */
  readonly days: number;
  readonly cron: string;
  readonly time_zone: string;
}

/** The name under which the images that are pulled most are told of, beside those of schedules. */
export const observedName = 'observed';
