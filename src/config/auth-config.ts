/* Types of the effective configuration, as in config.ts: who is who, and who may do what. */

/** The accounts, and how they are proved. */
export interface AuthConfig {
  /** Path of a file of bcrypt hashes; read again when it changes. */
  readonly htpasswd?: string | undefined;
  /** Accounts by group. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  /** By account and client address. */
  readonly failures: {
    /** In a row, before there is any wait. */
    readonly allowed: number;
    readonly first_wait: number;
    /** Each wait is twice as long as the last, up to this. */
    readonly longest_wait: number;
  };
  readonly tokens: {
    readonly ttl: number;
    /** Whom tokens are for. */
    readonly service: string;
    /** Where clients get them; by default here, under the address that the client used. */
    readonly realm?: string | undefined;
    /** Path of the folder of the keys that sign them; by default in the data directory. */
    readonly keys?: string | undefined;
  };
  /** By name. */
  readonly issuers: Readonly<Record<string, IssuerConfig>>;
  /** Which name in a client's certificate is its account; undefined where certificates prove nothing. */
  readonly certificates?: (typeof certificateNames)[number] | undefined;
}

/** Somebody else whose tokens are believed. */
export interface IssuerConfig {
  /** `iss`, exactly. */
  readonly issuer: string;
  /** `aud` */
  readonly audience: string;
  /** Of its keys. Without it and the file: where its discovery document says. */
  readonly jwks?: string | undefined;
  /** Path. */
  readonly jwks_file?: string | undefined;
  /** Path of a PEM file, trusted besides the system's authorities. */
  readonly ca?: string | undefined;
  readonly account_claim: string;
  readonly groups_claim?: string | undefined;
  /** In front of its accounts and groups; by default its name and a colon. */
  readonly prefix?: string | undefined;
  /** Its token endpoint: where clients are sent instead of to ours. */
  readonly realm?: string | undefined;
}

/** Names in a client's certificate: its subject's, or one of its alternative ones. */
export const certificateNames = ['common_name', 'email', 'dns', 'uri'] as const;

export const accessActions = ['pull', 'push', 'delete', 'admin'] as const;

/** Allows these accounts and groups these actions in these repositories. */
export interface AccessRuleConfig {
  readonly accounts: readonly string[];
  readonly groups: readonly string[];
  /** Globs. */
  readonly repositories: readonly string[];
  readonly actions: readonly (typeof accessActions)[number][];
}
