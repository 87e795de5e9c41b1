import { join } from 'node:path';
import { AccessTokens } from '../access/access-tokens.ts';
import { Accounts as AccountsOfConfig, nobody } from '../access/accounts.ts';
import type { Presented } from '../access/authenticator.ts';
import type { Caller } from '../access/caller.ts';
import { FailureBackOff } from '../access/failure-back-off.ts';
import { grantScope } from '../access/grant.ts';
import { Htpasswd } from '../access/htpasswd.ts';
import { groupsByAccount } from '../access/login.ts';
import type { AccessObserver } from '../access/observer.ts';
import { PasswordThreads } from '../access/password-checks.ts';
import { PasswordLogin } from '../access/password-login.ts';
import type { Scope } from '../access/scope.ts';
import { SigningKeys } from '../access/signing-keys.ts';
import { TokenLogin } from '../access/token-login.ts';
import type { AuthConfig } from '../config/auth-config.ts';
import { isRegistryError } from '../oci/errors.ts';
import type { Accounts, GrantedToken, TokenAuthority } from '../http/accounts.ts';
import { createIssuers } from './issuers.ts';

export interface LiveAccountsOptions {
  readonly auth: AuthConfig;
  /** `<data>/v1` */
  readonly directory: string;
  /** Whether the rules allow that a token is given out for this. */
  readonly grantable: (caller: Caller, type: string, name: string, action: string) => boolean;
  readonly observer: AccessObserver;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What one configuration comes to. */
interface Held {
  readonly accounts: AccountsOfConfig;
  readonly tokens: AccessTokens;
  readonly authority: TokenAuthority;
  readonly service: string;
  /** Begins to follow the file. */
  start(): void;
  end(): Promise<void>;
}

/** How long a key signs, and how long a replica may be behind, in milliseconds. */
const [day, lag] = [86_400_000, 600_000];

/** The longest that a token can be good for: see the schema of `auth.tokens.ttl`. */
const longestTtl = day;

/**
 * The accounts in force: they follow the configuration, and the file of passwords by itself. Whether
 * there are any, and where the keys are, is settled at the start.
 */
export class LiveAccounts implements Accounts {
  readonly #options: LiveAccountsOptions;
  readonly #keys: SigningKeys;
  readonly #threads = new PasswordThreads();
  #held: Held;

  private constructor(options: LiveAccountsOptions, keys: SigningKeys) {
    this.#options = options;
    this.#keys = keys;
    this.#held = this.#build(options.auth);
    this.#held.start();
  }

  /** @throws HtpasswdFault; or where an issuer's `ca`, or the keys, cannot be used */
  static async open(options: LiveAccountsOptions): Promise<LiveAccounts> {
    const keys = await SigningKeys.open({
      folder: options.auth.tokens.keys ?? join(options.directory, 'keys'),
      times: { signs: day, outlives: longestTtl + lag },
      observer: options.observer,
    });
    return new LiveAccounts(options, keys);
  }

  get authority(): TokenAuthority {
    return this.#held.authority;
  }

  get service(): string {
    return this.#held.service;
  }

  /** Passwords that wait to be checked. */
  get waiting(): number {
    return this.#threads.waiting;
  }

  identify(presented: Presented): Caller | Promise<Caller> {
    return this.#held.accounts.identify(presented);
  }

  async issue(presented: Presented, wanted: Scope): Promise<GrantedToken> {
    const { accounts, tokens } = this.#held;
    const { grantable, observer } = this.#options;
    const login = await accounts.login(presented).catch((error: unknown) => {
      if (isRegistryError(error, 'UNAUTHORIZED') && this.#isForAll(wanted)) return nobody;
      throw error;
    });
    const scope = grantScope(wanted, login.scope, (type, name, action) =>
      grantable(login, type, name, action),
    );
    const issued = await tokens.issue(login, scope);
    observer.tokenIssued(login.account);
    return { ...issued, caller: login };
  }

  /**
   * Whether everybody may do all of what a token is wanted for. It is given then, for nobody, also
   * where a password is wrong: dockerd offers its mirrors those of Docker Hub, and would go round a
   * mirror that minds them. `docker login` wants a token for nothing, and hears that they are wrong.
   */
  #isForAll(wanted: Scope): boolean {
    const { grantable } = this.#options;
    return (
      wanted.length > 0 &&
      wanted.every(({ type, name, actions }) =>
        actions.every((action) => grantable(nobody, type, name, action)),
      )
    );
  }

  /** @throws as {@link open} */
  prepare(auth: AuthConfig): () => void {
    const held = this.#build(auth);
    return () => {
      void this.#held.end();
      this.#held = held;
      held.start();
    };
  }

  async close(): Promise<void> {
    this.#keys.close();
    await this.#held.end();
    await this.#threads.close();
  }

  #build({ htpasswd: path, groups, failures, tokens: settings, ...auth }: AuthConfig): Held {
    const { observer, env } = this.#options;
    const { realm, service, ttl } = settings;
    const htpasswd = path === undefined ? undefined : new Htpasswd(path);
    const issuers = createIssuers(auth.issuers, observer, env);
    const groupsOf = groupsByAccount(groups);
    const { allowed, first_wait: firstWait, longest_wait: longestWait } = failures;
    const backOff = new FailureBackOff({ allowed, firstWait, longestWait });
    const tokens = new AccessTokens({ keys: this.#keys, service, ttl });
    // Whether certificates are asked for is settled at the start.
    const isAsked = this.#options.auth.certificates !== undefined;
    const accounts = new AccountsOfConfig({
      passwords:
        htpasswd &&
        new PasswordLogin({ accounts: htpasswd, checks: this.#threads, backOff, observer }),
      tokens: new TokenLogin({
        tokens,
        issuers: issuers.byIssuer,
        groupsOf,
        holds: (account, stamp) => htpasswd?.get(account)?.stamp === stamp,
        observer,
      }),
      certificates: isAsked ? auth.certificates : undefined,
      groupsOf,
      observer,
    });
    const outside = Object.values(auth.issuers).find((issuer) => issuer.realm !== undefined);
    return {
      accounts,
      tokens,
      authority:
        outside === undefined
          ? { realm, service }
          : { realm: outside.realm, service: outside.audience },
      service,
      start: () => htpasswd?.watch(observer),
      async end() {
        htpasswd?.close();
        await issuers[Symbol.asyncDispose]();
      },
    };
  }
}
