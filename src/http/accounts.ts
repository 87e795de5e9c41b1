import type { IssuedToken } from '../access/access-tokens.ts';
import type { Authenticator, Presented } from '../access/authenticator.ts';
import type { Caller } from '../access/caller.ts';
import type { Scope } from '../access/scope.ts';

/** Where clients get a token, and for whom. */
export interface TokenAuthority {
  /** Undefined for our own endpoint, under the address that the client used. */
  readonly realm: string | undefined;
  readonly service: string;
}

/** A token, and whose it is. */
export interface GrantedToken extends IssuedToken {
  readonly caller: Caller;
}

/** The accounts, as the registry API needs them. */
export interface Accounts extends Authenticator {
  readonly authority: TokenAuthority;
  /** Whom tokens of our own endpoint are for. */
  readonly service: string;
  /**
   * Gives whoever proves to be somebody, or nobody, a token for as much of what is wanted as the
   * rules allow.
   * @throws RegistryError UNAUTHORIZED, TOOMANYREQUESTS, UNAVAILABLE
   */
  issue(presented: Presented, wanted: Scope): Promise<GrantedToken>;
}

/** Where our own token endpoint is: below no repository, and no upstream is called like this with it. */
export const tokenPath = '/auth/token';
