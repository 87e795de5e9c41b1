import type { Fault } from './config-error.ts';
import { didYouMean } from './near-match.ts';
import { patternFaults } from './pattern-faults.ts';
import { asMapping } from './schema-tree.ts';
import { listOf, texts } from './texts.ts';

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
  return listOf(access).flatMap((rule, index) => [
    ...texts(asMapping(rule)['groups']).flatMap(([place, group]): Fault[] => {
      if (groups === undefined || groups.includes(group)) return [];
      const message = `no such group in auth.groups${didYouMean(group, groups)}`;
      return [{ path: ['access', index, 'groups', place], message }];
    }),
    ...patternFaults(raw, asMapping(rule)['repositories'], ['access', index, 'repositories']),
  ]);
}

/** Undefined where groups may come from elsewhere. */
function knownGroups({ groups, issuers }: Mapping): readonly string[] | undefined {
  const hasOutside = Object.values(asMapping(issuers)).some(
    (issuer) => asMapping(issuer)['groups_claim'] !== undefined,
  );
  return hasOutside ? undefined : Object.keys(asMapping(groups));
}
