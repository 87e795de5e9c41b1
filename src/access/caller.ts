import type { Scope } from './scope.ts';

/** Who makes a request, as far as the rules need to know. */
export interface Caller {
  /** The account's name; `anonymous` where nobody has logged in. */
  readonly account: string;
  readonly groups: readonly string[];
  /** What the token that was presented narrows it to; undefined for all that the rules allow. */
  readonly scope: Scope | undefined;
}

/** The account of everybody who has not logged in. No other account can have this name. */
export const anonymousAccount = 'anonymous';

/** Who brings nothing along. */
export const anonymous: Caller = { account: anonymousAccount, groups: [], scope: undefined };

/** Whether somebody has logged in. */
export function isLoggedIn({ account }: Caller): boolean {
  return account !== anonymousAccount;
}

/** Whether a request came with nothing at all to say who makes it, not even an anonymous token. */
export function isUnannounced(caller: Caller): boolean {
  return !isLoggedIn(caller) && caller.scope === undefined;
}

/** Whether somebody else's word for an account can be one here: to be seen, and nobody's stand-in. */
export function isAccountName(name: string): boolean {
  return (
    name !== '' && name.length <= maxNameLength && !/\p{C}/u.test(name) && name !== anonymousAccount
  );
}

const maxNameLength = 255;
