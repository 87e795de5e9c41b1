import type { ConfigPath, Fault } from './config-error.ts';
import { asMapping } from './schema-tree.ts';
import { texts } from './texts.ts';
import { builtInAliases } from './well-known.ts';

type Mapping = Readonly<Record<string, unknown>>;

/** Patterns of repositories, as rules name them, that could never fit one. */
export function patternFaults(raw: Mapping, patterns: unknown, path: ConfigPath): Fault[] {
  const names = otherNames(raw);
  return texts(patterns).flatMap(([place, pattern]): Fault[] => {
    const written = names.get(pattern.split('/', 1)[0] ?? '');
    if (written === undefined || !pattern.includes('/')) return [];
    const message = `fits nothing: in rules these are ${written}/…`;
    return [{ path: [...path, place], message }];
  });
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
