import { SingleFlight } from '../lib/single-flight.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import { untilAborted } from '../lib/until-aborted.ts';

export interface CachedCredentialsOptions {
  /** Milliseconds for which an answer is used unasked; an hour unless told otherwise. */
  readonly ttl?: number;
  /** Milliseconds since the epoch; for tests. */
  readonly now?: () => number;
}

const hour = 3_600_000;
/** "There is none" is asked again sooner: somebody may be logging in just now. */
const absentTtl = 60_000;
/** An old answer outlives a broken source up to here: ECR's passwords live 12 hours. */
const staleLimit = 11 * hour;
/** The source has a deadline of its own; this one is behind it. Milliseconds. */
const patience = 120_000;

/** Keeps the answer of a slow source, such as a credential helper; asks once for any number of callers. */
export class CachedCredentials implements CredentialSource {
  readonly #source: CredentialSource;
  readonly #ttl: number;
  readonly #now: () => number;
  #known: { readonly credential: Credential | undefined; readonly at: number } | undefined;
  readonly #asking = new SingleFlight<Credential | undefined>();

  constructor(source: CredentialSource, options: CachedCredentialsOptions = {}) {
    this.#source = source;
    this.#ttl = options.ttl ?? hour;
    this.#now = options.now ?? Date.now;
  }

  async get(signal: AbortSignal): Promise<Credential | undefined> {
    const known = this.#known;
    if (known !== undefined) {
      const ttl = known.credential === undefined ? Math.min(absentTtl, this.#ttl) : this.#ttl;
      if (this.#now() - known.at < ttl) return known.credential;
    }
    const asked = this.#asking.run('credential', () => this.#ask());
    return untilAborted(asked, signal);
  }

  forget(): void {
    this.#known = undefined;
    this.#source.forget();
  }

  async #ask(): Promise<Credential | undefined> {
    const asked = this.#known;
    try {
      const credential = await this.#source.get(AbortSignal.timeout(patience));
      this.#known = { credential, at: this.#now() };
      return credential;
    } catch (error) {
      const usable = asked?.credential !== undefined && asked === this.#known;
      if (usable && this.#now() - asked.at < staleLimit) return asked.credential;
      throw error;
    }
  }
}
