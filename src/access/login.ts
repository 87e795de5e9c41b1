import type { Caller } from './caller.ts';

/** A caller, with what a token that is issued to it has to carry. */
export interface Login extends Caller {
  /** Groups that somebody else vouches for; those of the configuration are looked up each time. */
  readonly givenGroups: readonly string[];
  /** Of the password's hash, where there is one: see {@link HtpasswdAccount.stamp}. */
  readonly stamp: string | undefined;
  /** Until when the proof holds, in milliseconds since the epoch; undefined where it has no end. */
  readonly until: number | undefined;
}

/** Which groups an account belongs to, by the configuration. */
export type GroupsOf = (account: string) => readonly string[];

/** Turns the configuration's members by group into the groups of an account. */
export function groupsByAccount(members: Readonly<Record<string, readonly string[]>>): GroupsOf {
  const groups = new Map<string, string[]>();
  for (const [group, accounts] of Object.entries(members)) {
    for (const account of new Set(accounts)) {
      groups.set(account, [...(groups.get(account) ?? []), group]);
    }
  }
  return (account) => groups.get(account) ?? none;
}

const none: readonly string[] = [];
