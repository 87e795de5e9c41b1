import type { Fault } from './config-error.ts';
import { patternFaults } from './pattern-faults.ts';
import { asMapping } from './schema-tree.ts';

type Mapping = Readonly<Record<string, unknown>>;

/** Faults of what is held back, and of who is told: where it could not work as it stands. */
export function holdFaults(raw: Mapping): Fault[] {
  const hold = asMapping(raw['hold']);
  const endpoints = asMapping(asMapping(raw['notifications'])['endpoints']);
  const { repositories, except } = hold;
  const isOn = Array.isArray(repositories) && repositories.length > 0;
  const faults = patternFaults(raw, repositories, ['hold', 'repositories']);
  const { listen } = asMapping(raw['operations']);
  if (isOn && (listen === 'off' || listen === false)) {
    const message = 'needs operations.listen: verdicts are posted there';
    faults.push({ path: ['hold', 'repositories'], message });
  }
  const { accounts } = asMapping(except);
  if (Array.isArray(accounts) && accounts.length > 0 && raw['auth'] === undefined) {
    const message = 'means nothing without auth: there are no accounts';
    faults.push({ path: ['hold', 'except', 'accounts'], message });
  }
  for (const [name, endpoint] of Object.entries(endpoints)) {
    const path = ['notifications', 'endpoints', name];
    const { repositories: told } = asMapping(endpoint);
    faults.push(...patternFaults(raw, told, [...path, 'repositories']));
    faults.push(...headerFaults(asMapping(endpoint), path));
  }
  return faults;
}

/** Names of headers know no case (RFC 9110, section 5.1). */
function headerFaults({ headers, header_files: files }: Mapping, path: readonly string[]): Fault[] {
  const given = new Set(Object.keys(asMapping(headers)).map((key) => key.toLowerCase()));
  return Object.keys(asMapping(files))
    .filter((key) => given.has(key.toLowerCase()))
    .map((key) => ({
      path: [...path, 'header_files', key],
      message: 'the same header stands under headers',
    }));
}
