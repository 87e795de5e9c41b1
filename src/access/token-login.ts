import { hash } from 'node:crypto';
import { decodeJwt, errors } from 'jose';
import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../lib/single-flight.ts';
import { RegistryError, toRegistryError } from '../oci/errors.ts';
import { ourIssuer, type AccessTokens } from './access-tokens.ts';
import type { GroupsOf, Login } from './login.ts';
import type { AccessObserver } from './observer.ts';
import type { OutsideIssuer } from './outside-issuer.ts';

export interface TokenLoginOptions {
  readonly tokens: Pick<AccessTokens, 'verify'>;
  /** By their `iss`. */
  readonly issuers: ReadonlyMap<string, OutsideIssuer>;
  readonly groupsOf: GroupsOf;
  /** Whether the password that a token was given for is still in force. */
  readonly holds: (account: string, stamp: string) => boolean;
  readonly observer: Pick<AccessObserver, 'loggedIn' | 'loginFailed'>;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

interface Verdict {
  readonly login: Login;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** Milliseconds for which an outside issuer's token is believed without another look at its keys. */
const outsideTtl = 5 * 60_000;

const remembered = 10_000;

/** The form of a JWT: an object in front, and three parts. */
const shape = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

/** Checks tokens, ours and those of outside issuers. A verdict is remembered under the token's hash. */
export class TokenLogin {
  readonly #options: TokenLoginOptions;
  readonly #now: () => number;
  readonly #verdicts = new LRUCache<string, Verdict>({ max: remembered });
  readonly #running = new SingleFlight<Verdict>();

  constructor(options: TokenLoginOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Whether a password is a token of an outside issuer: how a CI system logs in with `docker login`. */
  isOutside(password: string): boolean {
    if (this.#options.issuers.size === 0 || !shape.test(password)) return false;
    const issuer = issuerOf(password);
    return issuer !== undefined && this.#options.issuers.has(issuer);
  }

  /**
   * Gives whom a token speaks for; at once where it was checked before.
   * @throws RegistryError (or rejects with one) UNAUTHORIZED, UNAVAILABLE
   */
  check(token: string, client: string): Login | Promise<Login> {
    const id = hash('sha256', token, 'base64');
    const known = this.#verdicts.get(id);
    if (known !== undefined && known.until > this.#now()) return this.#held(known, client);
    return this.#verify(id, token, client);
  }

  async #verify(id: string, token: string, client: string): Promise<Login> {
    const issuer = issuerOf(token);
    const method = issuer === undefined || issuer === ourIssuer ? 'token' : 'issuer';
    let verdict: Verdict;
    try {
      verdict = await this.#running.run(id, () => this.#ask(issuer, token));
    } catch (error) {
      const failure = failureOf(error);
      const reason = reasonOf(error);
      this.#options.observer.loginFailed({ method, failure, account: undefined, client, reason });
      throw toRegistryError(error);
    }
    const login = this.#held(verdict, client);
    this.#verdicts.set(id, verdict);
    this.#options.observer.loggedIn(method);
    return login;
  }

  async #ask(issuer: string | undefined, token: string): Promise<Verdict> {
    const { tokens, issuers, groupsOf } = this.#options;
    if (issuer === ourIssuer) {
      const { account, givenGroups, stamp, scope, until } = await tokens.verify(token);
      const groups = [...groupsOf(account), ...givenGroups];
      return { login: { account, groups, givenGroups, stamp, scope, until }, until };
    }
    const outside = issuer === undefined ? undefined : issuers.get(issuer);
    if (outside === undefined) {
      throw new RegistryError('UNAUTHORIZED', 'the token is not valid here', {
        cause: new Error('nobody whom we know has issued it'),
      });
    }
    const { account, groups: givenGroups, scope, until } = await outside.verify(token);
    const groups = [...groupsOf(account), ...givenGroups];
    return {
      login: { account, groups, givenGroups, stamp: undefined, scope, until },
      until: Math.min(until, this.#now() + outsideTtl),
    };
  }

  /** Who has a new password, or is no more, is out at once, whatever tokens are about. */
  #held({ login }: Verdict, client: string): Login {
    const { account, stamp } = login;
    if (stamp === undefined || this.#options.holds(account, stamp)) return login;
    const reason = 'its account has another password, or is no more';
    this.#options.observer.loginFailed({
      method: 'token',
      failure: 'wrong',
      account,
      client,
      reason,
    });
    throw new RegistryError('UNAUTHORIZED', 'the token is not valid here');
  }
}

/** Who says to have issued a token: only to know whom to ask. */
function issuerOf(token: string): string | undefined {
  try {
    const { iss } = decodeJwt(token);
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}

function failureOf(error: unknown): 'wrong' | 'expired' | 'unavailable' {
  const { cause } = error as { cause?: unknown };
  if (cause instanceof errors.JWTExpired) return 'expired';
  return toRegistryError(error).code === 'UNAUTHORIZED' ? 'wrong' : 'unavailable';
}

/** jose's messages name a claim or a header, and quote none. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
