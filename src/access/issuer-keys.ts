import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWK,
  type JWSHeaderParameters,
} from 'jose';
import { SingleFlight } from '../lib/single-flight.ts';
import { RegistryError } from '../oci/errors.ts';

/** Fetches a JWK set (RFC 7517, section 5): the text of the document. */
export type FetchKeys = () => Promise<string>;

/** Milliseconds. */
export interface IssuerKeyTimes {
  /** After which the keys are fetched again, behind the requests that still use the old ones. */
  readonly fresh: number;
  /** Between two fetches that tokens with unknown keys can cause. */
  readonly pause: number;
  /** After a fetch that failed. */
  readonly rest: number;
}

const defaultTimes: IssuerKeyTimes = { fresh: 3_600_000, pause: 30_000, rest: 5_000 };

/** Those that sign with a secret only the issuer has: a public key can never pass for a shared one. */
export const outsideAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const keyTypes: ReadonlySet<string> = new Set(['RSA', 'EC', 'OKP']);
const maxKeys = 100;

type KeyOf = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;

/**
 * The keys of an outside issuer. Fetched when the first token comes, kept in memory, and used for as
 * long as newer ones cannot be had.
 */
export class IssuerKeys {
  readonly #fetch: FetchKeys;
  readonly #times: IssuerKeyTimes;
  readonly #now: () => number;
  readonly #onFailure: (error: unknown) => void;
  readonly #fetches = new SingleFlight<void>();
  #keyOf: KeyOf | undefined;
  #fetchedAt = -Infinity;
  #triedAt = -Infinity;
  #failure: unknown;

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    fetch: FetchKeys,
    onFailure: (error: unknown) => void,
    { times = defaultTimes, now = () => performance.now() } = {},
  ) {
    this.#fetch = fetch;
    this.#onFailure = onFailure;
    this.#times = times;
    this.#now = now;
  }

  /**
   * The key that a token says it is signed with.
   * @throws RegistryError UNAVAILABLE: no keys can be had; JOSEError: none of them fits
   */
  readonly find: KeyOf = async (header, token) => {
    if (this.#keyOf === undefined) await this.#refresh(this.#times.rest);
    const keyOf = this.#keyOf;
    if (keyOf === undefined) {
      throw new RegistryError('UNAVAILABLE', 'the keys of the token’s issuer cannot be had', {
        cause: this.#failure,
        retryAfter: Math.ceil(this.#times.rest / 1000),
      });
    }
    if (this.#now() - this.#fetchedAt > this.#times.fresh) void this.#refresh(this.#times.rest);
    try {
      return await keyOf(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // Issuers renew their keys before anybody says so.
      await this.#refresh(this.#times.pause);
      if (this.#keyOf === keyOf) throw error;
      return await this.#keyOf!(header, token);
    }
  };

  /** Fetches the keys, unless that was tried just now. Never rejects. */
  async #refresh(pause: number): Promise<void> {
    if (!this.#fetches.has('') && this.#now() - this.#triedAt < pause) return;
    await this.#fetches.run('', async () => {
      this.#triedAt = this.#now();
      try {
        this.#keyOf = createLocalJWKSet(parseKeys(await this.#fetch()));
        this.#fetchedAt = this.#now();
      } catch (error) {
        this.#failure = error;
        this.#onFailure(error);
      }
    });
  }
}

/** Only what is meant to check signatures, and public. */
function parseKeys(text: string): JSONWebKeySet {
  const { keys } = Object(JSON.parse(text)) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('this is no set of keys');
  const usable = keys
    .slice(0, maxKeys)
    .filter(
      (key): key is JWK =>
        typeof key === 'object' &&
        key !== null &&
        keyTypes.has(String((key as JWK).kty)) &&
        ((key as JWK).use ?? 'sig') === 'sig',
    );
  if (usable.length === 0) throw new Error('it holds no key that checks signatures');
  return { keys: usable };
}
