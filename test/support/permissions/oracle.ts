import type { Account, Place } from './world.ts';

/** What a request wants, in the words of the rules. */
export type Wanted = 'pull' | 'push' | 'delete';

/**
 * What each account may do at each place, written out: it is compared with what the rules in
 * world.ts make of it, and shares nothing with the code that decides.
 */
const rights: Readonly<Record<Account, Readonly<Record<Place, readonly Wanted[]>>>> = {
  anonymous: { open: ['pull'], closed: [], public: ['pull'], private: [] },
  nora: { open: ['pull'], closed: [], public: ['pull'], private: [] },
  rita: { open: ['pull'], closed: ['pull'], public: ['pull'], private: [] },
  walter: { open: ['pull', 'push'], closed: ['pull', 'push'], public: ['pull'], private: [] },
  dora: { open: ['pull'], closed: ['pull', 'delete'], public: ['pull'], private: [] },
  greta: { open: ['pull'], closed: ['pull', 'push'], public: ['pull'], private: [] },
  clara: { open: ['pull'], closed: [], public: ['pull'], private: ['pull'] },
  root: {
    open: ['pull', 'push', 'delete'],
    closed: ['pull', 'push', 'delete'],
    public: ['pull'],
    private: ['pull'],
  },
};

export function mayDo(account: Account, place: Place, wanted: Wanted): boolean {
  return rights[account][place].includes(wanted);
}

/** How a request proves who makes it, and what that proof is good for. */
export interface Proof {
  readonly account: Account;
  /** What the token says about the request's repository; undefined where there is no token. */
  readonly scope: readonly Wanted[] | undefined;
}

/**
 * The status of an answer.
 * @param success of a request that is let in and leads to something
 */
export function expectedStatus(
  { account, scope }: Proof,
  place: Place,
  wanted: Wanted,
  success: number,
): number {
  const isHosted = place === 'open' || place === 'closed';
  // Nobody pushes to an upstream, and who may pull from it is told so.
  const needed = isHosted ? wanted : 'pull';
  const isStranger = account === 'anonymous';
  if (!mayDo(account, place, needed)) return isStranger ? 401 : 403;
  if (scope !== undefined && !scope.includes(needed)) return 401;
  return isHosted || wanted === 'pull' ? success : 405;
}
