import type { Fault } from './config-error.ts';
import { didYouMean } from './near-match.ts';
import { asMapping } from './schema-tree.ts';
import { builtInAliases } from './well-known.ts';

type Mapping = Readonly<Record<string, unknown>>;

/**
 * Rules that nobody would be held to, and rules that could never fit. Accounts come and go in their
 * file and are no fault; groups stand in the configuration, except those of outside issuers.
 */
export function accessFaults(raw: Mapping): Fault[] {
  const { access, auth } = raw;
  if (access === undefined) return [];
  if (auth === undefined) {
    const message = 'means nothing without auth: there are no accounts';
    return [{ path: ['access'], message }];
  }
  const groups = knownGroups(asMapping(auth));
  const names = otherNames(raw);
  return listOf(access).flatMap((rule, index) => [
    ...texts(asMapping(rule)['groups']).flatMap(([place, group]): Fault[] => {
      if (groups === undefined || groups.includes(group)) return [];
      const message = `no such group in auth.groups${didYouMean(group, groups)}`;
      return [{ path: ['access', index, 'groups', place], message }];
    }),
    ...texts(asMapping(rule)['repositories']).flatMap(([place, pattern]): Fault[] => {
      const written = names.get(pattern.split('/', 1)[0] ?? '');
      if (written === undefined || !pattern.includes('/')) return [];
      const message = `fits nothing: in rules these are ${written}/…`;
      return [{ path: ['access', index, 'repositories', place], message }];
    }),
  ]);
}

/** Undefined where groups may come from elsewhere. */
function knownGroups({ groups, issuers }: Mapping): readonly string[] | undefined {
  const hasOutside = Object.values(asMapping(issuers)).some(
    (issuer) => asMapping(issuer)['groups_claim'] !== undefined,
  );
  return hasOutside ? undefined : Object.keys(asMapping(groups));
}

/** First words of names under which requests find an upstream, but no rule does. */
function otherNames(raw: Mapping): ReadonlyMap<string, string> {
  const upstreams = asMapping(raw['upstreams']);
  const names = new Map<string, string>();
  for (const [name, upstream] of Object.entries(upstreams)) {
    const given = texts(asMapping(upstream)['aliases']).map(([, alias]) => alias);
    for (const alias of [...builtInAliases(name), ...given]) names.set(alias, name);
  }
  const isDefault = (raw['default_upstream'] ?? 'docker.io') === 'docker.io';
  if (isDefault && Object.hasOwn(upstreams, 'docker.io')) names.set('library', 'docker.io/library');
  return names;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function texts(value: unknown): (readonly [number, string])[] {
  return [...listOf(value).entries()].filter(
    (entry): entry is [number, string] => typeof entry[1] === 'string',
  );
}
