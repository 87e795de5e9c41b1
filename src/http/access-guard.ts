import type { Action } from '../access/action.ts';
import { isLoggedIn, type Caller } from '../access/caller.ts';
import type { AccessRules } from '../access/rules.ts';
import { scopeAllows, type ScopeEntry } from '../access/scope.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RouteTable } from '../registry/resolve-route.ts';
import { targetOf, type Guard, type Target } from './registry-request.ts';
import type { RequestContext } from './request-context.ts';

/** Words for what somebody who has logged in is told. */
const verbs: Readonly<Record<Action, string>> = {
  pull: 'pull from',
  push: 'push to',
  delete: 'delete from',
  admin: 'administer',
};

/**
 * Holds requests to the rules. A token narrows what the rules allow its account and never widens
 * it: they are asked for each request, about the repository that it really leads to.
 *
 * Strangers get 401 with the challenge, whatever they asked for; accounts get 403 for what they may
 * never do, and 401 where another token of theirs would do, so that clients fetch that one.
 */
export class AccessGuard implements Guard {
  readonly #table: RouteTable;
  #rules: AccessRules;

  constructor(table: RouteTable, rules: AccessRules) {
    this.#table = table;
    this.#rules = rules;
  }

  /** Puts other rules in force, from the next request on. */
  replace(rules: AccessRules): void {
    this.#rules = rules;
  }

  admit(context: RequestContext, target: Target, action: Action): void {
    const { caller } = context;
    const wanted = effective(target, action);
    const isAllowed = this.#rules.permits(caller, target.repository, wanted);
    if (isAllowed && isInScope(caller, target, wanted)) return;
    if (!isAllowed && isLoggedIn(caller)) {
      throw new RegistryError(
        'DENIED',
        `${caller.account} may not ${verbs[action]} ${target.name}`,
      );
    }
    // Who pushes looks first which blobs are there.
    const actions = action === 'push' ? ['pull', 'push'] : [action];
    throw unauthorized(context, { type: 'repository', name: target.name, actions });
  }

  permitsSource(context: RequestContext, source: Target): boolean {
    const { caller } = context;
    if (!this.#rules.permits(caller, source.repository, 'pull')) return false;
    if (isInScope(caller, source, 'pull')) return true;
    // As CNCF distribution does it: the challenge names both repositories, and the client comes back
    // with a token for both. An upload in place of the mount would send what is here already.
    throw new RegistryError('UNAUTHORIZED');
  }

  admitToCatalog(context: RequestContext): void {
    const { caller } = context;
    const isAllowed = this.#rules.permitsAnywhere(caller, 'pull');
    const { scope } = caller;
    const isScoped = scope === undefined || scopeAllows(scope, 'registry', 'catalog', '*');
    if (isAllowed && isScoped) return;
    if (!isAllowed && isLoggedIn(caller)) {
      throw new RegistryError('DENIED', `${caller.account} may not pull anything`);
    }
    throw unauthorized(context, { type: 'registry', name: 'catalog', actions: ['*'] });
  }

  visible<T>(
    { caller }: RequestContext,
    items: readonly T[],
    repositoryOf: (item: T) => string | undefined,
  ): readonly T[] {
    return this.#rules.filter(caller, items, 'pull', repositoryOf);
  }

  /**
   * Whether a token may be given out for this: whether an account is allowed it in any repository
   * that the name may mean. Which one it is shows only when the token is used.
   * @param type `repository`, or `registry` with the name `catalog`
   * @param name of the repository, as the client writes it
   */
  grantable(caller: Caller, type: string, name: string, action: string): boolean {
    if (type === 'registry') {
      return name === 'catalog' && action === '*' && this.#rules.permitsAnywhere(caller, 'pull');
    }
    if (type !== 'repository' || !isAction(action)) return false;
    return this.#table.meanings(name).some((route) => {
      const { repository, isHosted } = targetOf(name, route);
      return (isHosted || action === 'pull') && this.#rules.permits(caller, repository, action);
    });
  }
}

function isAction(text: string): text is Action {
  return Object.hasOwn(verbs, text);
}

/**
 * Nobody can push to an upstream's repository or delete there, and what says so names the upstream:
 * it is for those who may know of it, which are those who may pull.
 */
function effective({ isHosted }: Target, action: Action): Action {
  return isHosted ? action : 'pull';
}

function isInScope({ scope }: Caller, { name }: Target, action: Action): boolean {
  return scope === undefined || scopeAllows(scope, 'repository', name, action);
}

/** Says in the context what token would do; the challenge tells the client. */
function unauthorized(context: RequestContext, needed: ScopeEntry): RegistryError {
  context.neededScope = [needed];
  return new RegistryError('UNAUTHORIZED');
}
