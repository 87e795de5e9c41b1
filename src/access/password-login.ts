import { hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../lib/single-flight.ts';
import { RegistryError } from '../oci/errors.ts';
import type { FailureBackOff } from './failure-back-off.ts';
import type { HtpasswdAccount } from './htpasswd.ts';
import type { AccessObserver } from './observer.ts';
import type { PasswordChecks } from './password-checks.ts';

/** A name and a password, and where they came from. */
export interface PasswordPair {
  readonly username: string;
  readonly password: string;
  readonly client: string;
}

export interface PasswordLoginOptions {
  /** The accounts, as they are at the moment. */
  readonly accounts: {
    get(account: string): HtpasswdAccount | undefined;
    readonly dummy: string;
  };
  readonly checks: PasswordChecks;
  readonly backOff: FailureBackOff;
  readonly observer: Pick<AccessObserver, 'loggedIn' | 'loginFailed'>;
}

/** Milliseconds for which a verdict is believed without another look. */
const verdictTtl = 15 * 60_000;

/** Pairs that were right, and pairs that were wrong: kept apart, so that guesses push out no one who is known. */
const remembered = { right: 10_000, wrong: 2_000 } as const;

/**
 * Checks passwords. A verdict is remembered together with the hash that it was found with, so that
 * it falls as soon as the file has another hash for the account, or none; and under a keyed hash of
 * the pair, so that memory holds no password.
 */
export class PasswordLogin {
  readonly #options: PasswordLoginOptions;
  readonly #key = randomBytes(32).toString('hex');
  readonly #right = new LRUCache<string, string>({ max: remembered.right, ttl: verdictTtl });
  readonly #wrong = new LRUCache<string, string>({ max: remembered.wrong, ttl: verdictTtl });
  readonly #running = new SingleFlight<HtpasswdAccount>();

  constructor(options: PasswordLoginOptions) {
    this.#options = options;
  }

  /**
   * Gives the account that a pair is right for; at once where it was before.
   * @throws RegistryError (or rejects with one) UNAUTHORIZED, TOOMANYREQUESTS, UNAVAILABLE
   */
  check(pair: PasswordPair): HtpasswdAccount | Promise<HtpasswdAccount> {
    const { accounts } = this.#options;
    const account = accounts.get(pair.username);
    const hash = account?.hash ?? accounts.dummy;
    const id = this.#idOf(pair);
    if (account !== undefined && this.#right.get(id) === hash) return account;
    // Whoever knocks with the same wrong key again learns nothing and costs nothing: a machine that
    // was not told of a new password does not lock out the people beside it.
    if (this.#wrong.get(id) === hash) throw this.#refusal(pair, 'the same as before');
    return this.#running.run(id, () => this.#compare(id, pair, account, hash));
  }

  async #compare(
    id: string,
    pair: PasswordPair,
    account: HtpasswdAccount | undefined,
    hash: string,
  ): Promise<HtpasswdAccount> {
    const { checks, backOff, observer } = this.#options;
    const { username, password, client } = pair;
    const wait = backOff.waitOf(username, client);
    if (wait > 0) throw this.#throttled(pair, wait);
    const isRight = await this.#asked(pair, () => {
      const comparing = checks.compare(password, hash, client);
      // Only what is really compared counts: a flood of names that finds the queue full costs its
      // sender nothing, and would push out what is remembered of real guesses.
      backOff.attempt(username, client);
      return comparing;
    });
    if (!isRight || account === undefined) {
      this.#wrong.set(id, hash);
      throw this.#refusal(pair, account === undefined ? 'no such account' : 'wrong password');
    }
    backOff.succeeded(username, client);
    this.#right.set(id, hash);
    observer.loggedIn('password');
    return account;
  }

  async #asked(pair: PasswordPair, ask: () => Promise<boolean>): Promise<boolean> {
    try {
      return await ask();
    } catch (error) {
      this.#tell(pair, 'unavailable', (error as Error).message);
      throw error;
    }
  }

  #refusal(pair: PasswordPair, reason: string): RegistryError {
    this.#tell(pair, 'wrong', reason);
    // Docker shows these very words.
    return new RegistryError('UNAUTHORIZED', 'incorrect username or password');
  }

  #throttled(pair: PasswordPair, wait: number): RegistryError {
    this.#tell(pair, 'throttled', 'too many failures before');
    return new RegistryError('TOOMANYREQUESTS', 'too many failed logins; try again later', {
      retryAfter: wait / 1000,
    });
  }

  #tell(
    { username, client }: PasswordPair,
    failure: 'wrong' | 'throttled' | 'unavailable',
    reason: string,
  ): void {
    this.#options.observer.loginFailed({
      method: 'password',
      failure,
      account: username,
      client,
      reason,
    });
  }

  /**
   * What a pair is remembered by. Two keyed hashes, one around the other, are what HMAC is (RFC 2104);
   * Node's own takes many times as long to set up, and this is done for each request.
   */
  #idOf({ username, password }: PasswordPair): string {
    const inner = hash('sha256', `${this.#key}${username.length}:${username}:${password}`);
    return hash('sha256', `${this.#key}${inner}`, 'base64');
  }
}
