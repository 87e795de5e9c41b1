import { jwtVerify, type JWTPayload } from 'jose';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { isAccountName } from './caller.ts';
import { outsideAlgorithms, type IssuerKeys } from './issuer-keys.ts';
import { readAccessClaim } from './scope.ts';
import type { Scope } from './scope.ts';

/** Somebody else whose tokens are believed, and how far. */
export interface OutsideIssuerOptions {
  /** What the configuration calls it. */
  readonly name: string;
  /** `iss`, exactly. */
  readonly issuer: string;
  /** `aud`: what its tokens for us are for. */
  readonly audience: string;
  /** The claim that names the account: by its name, or a path such as `user.login`. */
  readonly accountClaim: string;
  readonly groupsClaim: string | undefined;
  /** Stands in front of its accounts and groups, so that they are nobody else's. */
  readonly prefix: string;
  readonly keys: Pick<IssuerKeys, 'find'>;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** What a token of an outside issuer says that was found good. */
export interface OutsideClaims {
  readonly account: string;
  readonly groups: readonly string[];
  /** What it narrows its bearer to, where it does. */
  readonly scope: Scope | undefined;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** Seconds by which its clock may differ from ours. */
const clockSkew = 30;

const maxGroups = 200;

/** Checks the tokens of an outside issuer: JWTs such as OIDC's ID tokens, or a token server's. */
export class OutsideIssuer {
  readonly #options: OutsideIssuerOptions;
  readonly #now: () => number;

  constructor(options: OutsideIssuerOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get name(): string {
    return this.#options.name;
  }

  /**
   * Checks a token.
   * @throws RegistryError UNAUTHORIZED, the reason as its cause; UNAVAILABLE: it cannot be checked now
   */
  async verify(token: string): Promise<OutsideClaims> {
    const { issuer, audience, keys } = this.#options;
    try {
      const { payload } = await jwtVerify(token, keys.find, {
        algorithms: [...outsideAlgorithms],
        issuer,
        audience,
        clockTolerance: clockSkew,
        currentDate: new Date(this.#now()),
        requiredClaims: ['exp'],
      });
      return this.#read(payload);
    } catch (cause) {
      if (isRegistryError(cause)) throw cause;
      throw new RegistryError('UNAUTHORIZED', 'the token is not valid here', { cause });
    }
  }

  #read(payload: JWTPayload): OutsideClaims {
    const { accountClaim, groupsClaim, prefix } = this.#options;
    const named = claimAt(payload, accountClaim);
    const account = `${prefix}${typeof named === 'string' || typeof named === 'number' ? named : ''}`;
    if (account === prefix || !isAccountName(account)) {
      throw new Error(`its claim ${accountClaim} names no account`);
    }
    const scope = readAccessClaim(payload['access']);
    if (payload['access'] !== undefined && scope === undefined) {
      throw new Error('its access claim cannot be read');
    }
    const given = groupsClaim === undefined ? undefined : claimAt(payload, groupsClaim);
    const groups = [given]
      .flat()
      .filter((group) => typeof group === 'string')
      .filter(isAccountName)
      .slice(0, maxGroups)
      .map((group) => `${prefix}${group}`);
    return { account, groups, scope, until: payload.exp! * 1000 };
  }
}

/** A claim by its name, which may hold dots as a URL does; else by its path. */
function claimAt(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
