import { scopeAllows, type Scope } from './scope.ts';

/** Whether a token may carry this: an action on a repository by the name that the client uses, or on the registry. */
export type Grantable = (type: string, name: string, action: string) => boolean;

/** What `*` stands for; of a registry it stands for itself (`registry:catalog:*`). */
const repositoryActions = ['pull', 'push', 'delete'];

/**
 * What a token carries of what was asked for. The rest is left out without a word, as token servers
 * do: who then comes back with it hears what is missing.
 * @param bounds what the asker itself was narrowed to
 */
export function grantScope(wanted: Scope, bounds: Scope | undefined, grantable: Grantable): Scope {
  return wanted
    .map(({ type, name, actions }) => ({
      type,
      name,
      actions: [...new Set(actions.flatMap((action) => meaningOf(type, action)))]
        .filter((action) => grantable(type, name, action))
        .filter((action) => bounds === undefined || scopeAllows(bounds, type, name, action)),
    }))
    .filter(({ actions }) => actions.length > 0);
}

function meaningOf(type: string, action: string): readonly string[] {
  return action === '*' && type === 'repository' ? repositoryActions : [action];
}
