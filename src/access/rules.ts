import { LRUCache } from 'lru-cache';
import picomatch from 'picomatch';
import type { Action } from './action.ts';
import { anonymousAccount, type Caller } from './caller.ts';

/** Allows accounts actions in repositories. There are no rules that forbid. */
export interface AccessRule {
  /** `anonymous` is everybody, logged in or not; `*` everybody who has logged in. */
  readonly accounts: readonly string[];
  readonly groups: readonly string[];
  /**
   * Globs. A repository of an upstream has the upstream's name in front, as in
   * `docker.io/library/alpine`, whatever way leads there; a hosted one is named as it is pushed.
   */
  readonly repositories: readonly string[];
  /** `admin` is all of them. */
  readonly actions: readonly Action[];
}

/** Who asks, as far as rules look. */
export type Identity = Pick<Caller, 'account' | 'groups'>;

/** Where there are accounts but no rules: each may do everything, strangers nothing. */
export const defaultRules: readonly AccessRule[] = [
  { accounts: ['*'], groups: [], repositories: ['**'], actions: ['pull', 'push', 'delete'] },
];

/** Decisions that are remembered. Clients choose the names, so there has to be an end. */
const maxDecisions = 20_000;

const bit = { pull: 1, push: 2, delete: 4, admin: 15 } as const satisfies Record<Action, number>;

interface CompiledRule {
  readonly accounts: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly matches: (repository: string) => boolean;
  /** The actions' bits. */
  readonly actions: number;
}

/**
 * The rules in force: what is allowed is the union of all rules that fit, in whatever order they
 * stand. Never changes; other rules are another object.
 */
export class AccessRules {
  readonly #rules: readonly CompiledRule[];
  /** By the rules that concern an account and by repository; so those with the same rights share. */
  readonly #decisions = new LRUCache<string, number>({ max: maxDecisions });
  /** Callers whose credentials are still remembered come with the same object each time. */
  readonly #concerns = new WeakMap<Identity, string>();

  constructor(rules: readonly AccessRule[]) {
    this.#rules = rules.map((rule) => ({
      accounts: new Set(rule.accounts),
      groups: new Set(rule.groups),
      matches: picomatch([...rule.repositories]),
      actions: rule.actions.reduce((bits, action) => bits | bit[action], 0),
    }));
  }

  /** @param repository as the rules name it */
  permits(caller: Identity, repository: string, action: Action): boolean {
    let concern = this.#concerns.get(caller);
    if (concern === undefined) {
      concern = this.#concerning(caller).join();
      this.#concerns.set(caller, concern);
    }
    const key = `${concern} ${repository}`;
    let actions = this.#decisions.get(key);
    if (actions === undefined) {
      actions = this.#actionsIn(this.#concerning(caller), repository);
      this.#decisions.set(key, actions);
    }
    return isIn(action, actions);
  }

  /**
   * Those of many items whose repository allows this. None of it is remembered.
   * @param repositoryOf undefined for what is in no repository
   */
  filter<T>(
    caller: Identity,
    items: readonly T[],
    action: Action,
    repositoryOf: (item: T) => string | undefined,
  ): readonly T[] {
    const concerning = this.#concerning(caller);
    return items.filter((item) => {
      const repository = repositoryOf(item);
      return repository !== undefined && isIn(action, this.#actionsIn(concerning, repository));
    });
  }

  /** Whether there may be a repository in which this is allowed. */
  permitsAnywhere(caller: Identity, action: Action): boolean {
    return this.#concerning(caller).some((index) => isIn(action, this.#rules[index]!.actions));
  }

  /** The places of the rules that are about this account. */
  #concerning({ account, groups }: Identity): number[] {
    return [...this.#rules.keys()].filter((index) => {
      const rule = this.#rules[index]!;
      if (rule.accounts.has(anonymousAccount)) return true;
      if (account === anonymousAccount) return false;
      if (rule.accounts.has('*') || rule.accounts.has(account)) return true;
      return groups.some((group) => rule.groups.has(group));
    });
  }

  #actionsIn(concerning: readonly number[], repository: string): number {
    let actions = 0;
    for (const index of concerning) {
      const rule = this.#rules[index]!;
      if ((actions | rule.actions) !== actions && rule.matches(repository)) actions |= rule.actions;
    }
    return actions;
  }
}

function isIn(action: Action, actions: number): boolean {
  return (actions & bit[action]) === bit[action];
}
