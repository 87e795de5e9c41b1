import type { AccessRuleConfig, AuthConfig } from './auth-config.ts';
import type { HoldConfig, NotificationsConfig } from './notifications-config.ts';
import type { WarmConfig } from './warm-config.ts';

/**
 * The effective configuration: every default filled in, every unit resolved. Sizes are bytes,
 * durations are milliseconds, paths are absolute. The names are those of the file, so that one
 * name finds a setting in the file, in a message, in the environment and in the code.
 */
export interface Config {
  readonly server: ServerConfig;
  readonly operations: {
    /** Undefined where it is `off`. */
    readonly listen: Listen | undefined;
    /** Names by which this machine is called there, besides its own. */
    readonly hosts: readonly string[];
  };
  readonly storage: StorageConfig;
  readonly catalog: { readonly redis?: RedisConfig | undefined };
  /** By name, in the order of the file. */
  readonly upstreams: Readonly<Record<string, UpstreamConfig>>;
  /** A key of `upstreams`; undefined where it is `none`. */
  readonly default_upstream: string | undefined;
  readonly hosted: HostedConfig;
  /** Who is who; undefined where there are no accounts. */
  readonly auth?: AuthConfig | undefined;
  /** Who may do what; where there are accounts and it is undefined, each may do everything. */
  readonly access?: readonly AccessRuleConfig[] | undefined;
  readonly notifications: NotificationsConfig;
  readonly bundles: BundlesConfig;
  readonly hold: HoldConfig;
  readonly warm: WarmConfig;
  /** No upstream is ever called. Already folded into every upstream's own `offline`. */
  readonly offline: boolean;
  readonly log: LogConfig;
}

/** Where to listen. */
export interface Listen {
  /** An address or a host name, IPv6 without brackets; undefined for every address there is. */
  readonly host: string | undefined;
  /** 0 lets the system choose. */
  readonly port: number;
}

export interface ServerConfig {
  readonly listen: Listen;
  /** Plain HTTP where it is undefined. */
  readonly tls?: TlsConfig | undefined;
  /** How long a client may take over the head of its request. */
  readonly headers_timeout: number;
  readonly keep_alive_timeout: number;
  /** How long a connection may go without a byte in either direction, such as a client that stopped reading. */
  readonly stall_timeout: number;
  readonly max_header_size: number;
  /** How long running transfers may go on after SIGTERM. */
  readonly drain_timeout: number;
  readonly limits: LimitsConfig;
}

/** Paths of PEM files. */
export interface TlsConfig {
  /** With the certificates that lead from it to its authority behind it, where there are any. */
  readonly cert: string;
  readonly key: string;
  /** Only clients with a certificate of it are let in. */
  readonly client_ca?: string | undefined;
  readonly min_version: (typeof tlsVersions)[number];
}

/** What this Node.js speaks: older ones were given up (RFC 8996). */
export const tlsVersions = ['TLSv1.2', 'TLSv1.3'] as const;

export interface LimitsConfig {
  /** Connections at once, of all clients together. */
  readonly connections: number;
  /** A client is its IPv4 address or its IPv6 network (/64). No limit where it is undefined. */
  readonly per_client: {
    /** At once. */
    readonly connections?: number | undefined;
    /** At once. */
    readonly requests?: number | undefined;
    readonly requests_per_minute?: number | undefined;
    /** Requests after a rest that are not held to the rate; as many as in a minute where undefined. */
    readonly burst?: number | undefined;
  };
}

export interface StorageConfig {
  readonly directory: string;
  /** Bytes that blobs and partial downloads may take together; undefined for as much as there is. */
  readonly max_size?: number | undefined;
  /** Shares of `max_size`: where room begins to be made, and how far. */
  readonly high_watermark: number;
  readonly low_watermark: number;
  /** How long after its last use a blob is kept; undefined for ever. */
  readonly unused_ttl?: number | undefined;
  /** Bytes of manifests that are kept in memory. */
  readonly manifest_cache: number;
  /** Bytes of all send buffers together. */
  readonly send_buffers: number;
  /** A download goes on when its last client has left. */
  readonly continue_downloads: boolean;
  /** The age at which an abandoned partial download is removed. */
  readonly spool_ttl: number;
  /** Every stored blob is hashed again about once in `interval` (0: never), at `rate` bytes a second at most. */
  readonly scrub: { readonly interval: number; readonly rate: number };
  /** Bytes of wrong files that are kept for a look; the oldest goes first. */
  readonly quarantine_size: number;
}

/** The repositories that live here: what is pushed. */
export interface HostedConfig {
  /** Globs of repository names; none where nothing is hosted. */
  readonly repositories: readonly string[];
  /** Whether clients may delete tags, manifests and blobs. */
  readonly delete: boolean;
  readonly rules: readonly HostedRuleConfig[];
  readonly gc: HostedGcConfig;
  /** Bytes; what is larger is refused. */
  readonly max_blob_size: number;
  /** Blob uploads that are open at once, of all clients together. */
  readonly max_uploads: number;
  /** How long after its last byte an upload is kept that nobody goes on with. */
  readonly upload_ttl: number;
}

/** What holds for the tags that it names; of several rules that name a tag, all hold. */
export interface HostedRuleConfig {
  /** Globs of repository names. */
  readonly repositories: readonly string[];
  /** Globs of tags. */
  readonly tags: readonly string[];
  /** A tag, once pushed, never names anything else, and cannot be deleted. */
  readonly immutable: boolean;
  /** So many of the tags of a repository that were pushed last are kept. */
  readonly keep_last?: number | undefined;
  /** Tags pushed less than this ago are kept. */
  readonly keep_for?: number | undefined;
}

/** When what nothing needs any more is removed. */
export interface HostedGcConfig {
  /** Between two runs; 0 for only when an operator asks. */
  readonly interval: number;
  /** How long a blob stays that no manifest names. */
  readonly grace: number;
  /** How long a manifest stays that no tag leads to, and nobody pulls; 0 for as long as nobody deletes it. */
  readonly untagged: number;
}

export interface RedisConfig {
  /** `redis://` or `rediss://`; may hold a user and a password. */
  readonly url: string;
  readonly password?: string | undefined;
  readonly password_file?: string | undefined;
  readonly key_prefix: string;
  /** How long a command may take before the disk is asked instead. */
  readonly timeout: number;
}

export interface UpstreamConfig {
  /** Without a slash at its end; so are the mirrors. */
  readonly url: string;
  /** Tried in order after `url`. */
  readonly mirrors: readonly string[];
  /** Other names of this upstream, as `ns` or as the first path component. */
  readonly aliases: readonly string[];
  /** Values of the Host header that lead here. */
  readonly hosts: readonly string[];
  /** One, or several that are used by what is left of their quota. */
  readonly credentials?: CredentialsConfig | readonly CredentialsConfig[] | undefined;
  /** Origins of token servers, besides the registry's own, that may see the credentials. */
  readonly realms: readonly string[];
  /** Path of a PEM file, trusted besides the system's authorities. */
  readonly ca?: string | undefined;
  /** `http://` or `https://`; may hold a user and a password. Without it, HTTP(S)_PROXY holds. */
  readonly proxy?: string | undefined;
  /** Connections at once to one origin. */
  readonly connections: number;
  readonly timeouts: TimeoutsConfig;
  /** Bytes a second, over `timeouts.slow`, under which a blob's transfer is begun anew; 0 for any pace. */
  readonly min_rate: number;
  /** Bytes; what is larger is refused. */
  readonly max_blob_size: number;
  readonly breaker: BreakerConfig;
  readonly rate_limit: RateLimitConfig;
  readonly tag_ttl: TagTtl;
  /** How long "there is no such thing" is remembered. */
  readonly negative_ttl: number;
  /** How long a stale tag is served while the upstream denies or fails. */
  readonly stale_if_error: number;
  /** A tag that the upstream deleted is kept. */
  readonly keep_deleted: boolean;
  /** Globs of repository names; empty allows all. `deny` wins. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly offline: boolean;
}

/** How to log in at an upstream: told apart by the key that is there. */
export type CredentialsConfig =
  | { readonly username: string; readonly password: string }
  | { readonly username: string; readonly password_file: string }
  /** Runs `docker-credential-<helper> get`. */
  | { readonly helper: string }
  /** Path of a docker `config.json`. */
  | { readonly docker_config: string };

export interface TimeoutsConfig {
  readonly connect: number;
  /** From the request to the answer's headers. */
  readonly headers: number;
  /** Without a byte of a body. */
  readonly idle: number;
  /** Over which a blob's pace is averaged. */
  readonly slow: number;
  /** A manifest, or a page of a list, as a whole. */
  readonly body: number;
  /** A whole exchange with a token server. */
  readonly token: number;
  /** A tag's check, before what is cached is served and the check goes on behind. */
  readonly revalidate: number;
  /** A broken transfer that gets no further, before it is given up. */
  readonly resume: number;
}

/** When a URL that fails, or a credential that is limited, is left alone, and for how long. */
export interface BreakerConfig {
  /** In a row. */
  readonly failures: number;
  readonly first_wait: number;
  /** Each wait is twice as long as the last, up to this. */
  readonly longest_wait: number;
  /** The most that a `Retry-After` is heeded. */
  readonly longest_retry_after: number;
}

/** How an upstream's quota is kept for what is not cached. */
export interface RateLimitConfig {
  /** Under which remainder tags are checked less often. */
  readonly floor: FloorConfig;
  /** By how much. */
  readonly stretch: number;
}

/** A part of the limit, from 0 to 1, or a number of requests. */
export type FloorConfig = { readonly share: number } | { readonly count: number };

/** How long a tag is served without asking the upstream: by the first glob that matches, else the default. */
export interface TagTtl {
  readonly default: number;
  readonly patterns: readonly { readonly glob: string; readonly ttl: number }[];
}

/** Which files of images are taken in. */
export interface BundlesConfig {
  /** Paths of PEM files with Ed25519 public keys. */
  readonly trusted_keys: readonly string[];
  /** Whether one of them has to have signed. */
  readonly require_signature: boolean;
}

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;

export interface LogConfig {
  readonly level: (typeof logLevels)[number];
  readonly format: 'json' | 'pretty';
  /** One line a request. */
  readonly access: boolean;
}
