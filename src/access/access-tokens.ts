import { randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { RegistryError } from '../oci/errors.ts';
import type { Login } from './login.ts';
import { readAccessClaim, type Scope } from './scope.ts';
import { signingAlgorithm, type SigningKeys } from './signing-keys.ts';

/** A token for a client to come back with. */
export interface IssuedToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
  readonly issuedAt: Date;
}

/** What a token of ours says that was found good. */
export interface TokenClaims {
  readonly account: string;
  readonly givenGroups: readonly string[];
  readonly stamp: string | undefined;
  readonly scope: Scope;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export interface AccessTokensOptions {
  readonly keys: Pick<SigningKeys, 'signing' | 'find'>;
  /** Whom tokens are for; replicas that share keys share it too. */
  readonly service: string;
  /** Milliseconds that a token is good for. */
  readonly ttl: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** `iss` of our tokens. An outside issuer is a URL, and so never called like this. */
export const ourIssuer = 'baleen';

const tokenType = 'JWT';

/** Seconds by which the clocks of replicas may differ. */
const clockSkew = 10;

/**
 * Issues and checks our own tokens: JWTs (RFC 7519) in the form of distribution's token
 * specification. What a token carries was allowed when it was issued; that it still is, the rules say
 * at each request.
 */
export class AccessTokens {
  readonly #options: AccessTokensOptions;
  readonly #now: () => number;

  constructor(options: AccessTokensOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Issues a token; it ends with whatever the login was proved by. */
  async issue(login: Login, scope: Scope): Promise<IssuedToken> {
    const { keys, service, ttl } = this.#options;
    const { kid, privateKey } = keys.signing;
    const now = Math.floor(this.#now() / 1000);
    const longest = Math.floor((login.until ?? Infinity) / 1000) - now;
    const expiresIn = Math.max(1, Math.min(Math.floor(ttl / 1000), longest));
    const token = await new SignJWT({
      access: scope,
      ...(login.givenGroups.length > 0 && { groups: login.givenGroups }),
      ...(login.stamp !== undefined && { stamp: login.stamp }),
    })
      .setProtectedHeader({ alg: signingAlgorithm, typ: tokenType, kid })
      .setIssuer(ourIssuer)
      .setSubject(login.account)
      .setAudience(service)
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + expiresIn)
      .setJti(randomUUID())
      .sign(privateKey);
    return { token, expiresIn, issuedAt: new Date(now * 1000) };
  }

  /**
   * Checks a token. Only the name of its key is taken from its head: the key itself, the algorithm
   * and all else are ours (RFC 8725, sections 3.1 and 3.10).
   * @throws RegistryError UNAUTHORIZED, the reason as its cause
   */
  async verify(token: string): Promise<TokenClaims> {
    const { keys, service } = this.#options;
    try {
      const { payload } = await jwtVerify(
        token,
        async ({ kid }) => {
          const key = typeof kid === 'string' ? await keys.find(kid) : undefined;
          if (key === undefined) throw new Error('it is signed with an unknown key');
          return key.publicKey;
        },
        {
          algorithms: [signingAlgorithm],
          typ: tokenType,
          issuer: ourIssuer,
          audience: service,
          clockTolerance: clockSkew,
          currentDate: new Date(this.#now()),
          requiredClaims: ['sub', 'exp', 'nbf', 'iat', 'jti', 'access'],
        },
      );
      return readClaims(payload);
    } catch (cause) {
      throw new RegistryError('UNAUTHORIZED', 'the token is not valid here', { cause });
    }
  }
}

/** Signed by us, so in our form; but an older Baleen may have had another. */
function readClaims({ sub, exp, access, groups, stamp }: JWTPayload): TokenClaims {
  const scope = readAccessClaim(access);
  if (sub === undefined || exp === undefined || scope === undefined) {
    throw new Error('a claim is missing');
  }
  return {
    account: sub,
    givenGroups: Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [],
    stamp: typeof stamp === 'string' ? stamp : undefined,
    scope,
    until: exp * 1000,
  };
}
