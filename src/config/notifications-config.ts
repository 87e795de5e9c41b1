/** What an endpoint may be told of; `push` includes mounts of blobs. */
export const eventKinds = ['push', 'pull', 'delete', 'cache', 'hold'] as const;

export interface NotificationsConfig {
  /** By name. */
  readonly endpoints: Readonly<Record<string, EndpointConfig>>;
}

/** A webhook. */
export interface EndpointConfig {
  readonly url: string;
  /** Sent with each request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Likewise, their values in files. */
  readonly header_files: Readonly<Record<string, string>>;
  readonly events: readonly (typeof eventKinds)[number][];
  /** Globs of repository names: behind their upstream's, or bare where hosted. */
  readonly repositories: readonly string[];
  /** Whether it is told of layers and configs, too. */
  readonly blobs: boolean;
  /** For one request, all in all. */
  readonly timeout: number;
  /** Events in one request at most. */
  readonly batch: number;
  /** Bytes on disk that may wait; the oldest go first. */
  readonly queue_size: number;
  /** Path of a PEM file, trusted besides the system's authorities. */
  readonly ca?: string | undefined;
}

/** Images that nobody may pull before there is a verdict about them. */
export interface HoldConfig {
  /** Globs of repository names: behind their upstream's, or bare where hosted; none holds nothing. */
  readonly repositories: readonly string[];
  /** What becomes of an image without a verdict. */
  readonly on_unknown: 'deny' | 'allow';
  /** What its clients are told. */
  readonly message: string;
  /** Who may pull all the same. */
  readonly except: { readonly accounts: readonly string[] };
}
