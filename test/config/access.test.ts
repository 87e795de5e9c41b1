import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigError, formatFault } from '../../src/config/config-error.ts';
import { loadConfig } from '../../src/config/load.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-access-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The faults of what stands under `access`. */
function faults(text: string): string[] {
  const file = join(folder, 'config.yaml');
  writeFileSync(file, text);
  try {
    loadConfig({ file, env: {} });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults
      .filter(({ path }) => path[0] === 'access')
      .map((fault) => formatFault(fault).replace(`${folder}/config.yaml:`, ''));
  }
}

const auth = 'auth: { groups: { devs: [alice] } }';

describe('access rules in the configuration', () => {
  it('need accounts that they can be about', () => {
    const rules = 'access:\n  - { accounts: [anonymous], repositories: ["**"], actions: [pull] }\n';
    expect(faults(rules)).toEqual([
      '1:1 access: means nothing without auth: there are no accounts',
    ]);
    expect(faults(`${rules}${auth}\n`)).toEqual([]);
  });

  it('are refused with every fault at its place', () => {
    expect(
      faults(`${auth}
access:
  - { repositories: ["**"], actions: [pull] }
  - { accounts: [alice], repositories: [], actions: [] }
  - { accounts: [alice], repositories: ["**", "!secret/**"], actions: [pull, psuh] }
  - { accounts: [alice], repositories: ["library/*", "index.docker.io/**"], actions: [pull] }
  - { accounts: [nobody-yet], groups: [dev], repositories: ["**"], actions: [pull] }
  - { account: alice, repositories: ["**"], actions: [pull] }
  - alice
`),
    ).toEqual([
      '3:5 access[0]: is about nobody: give it accounts or groups',
      '4:26 access[1].repositories: must not be empty: "**" is every repository',
      '4:44 access[1].actions: must not be empty',
      '5:47 access[2].repositories[1]: rules only allow: leave a repository out instead of excluding it',
      '5:78 access[2].actions[1]: expected one of pull, push, delete, admin',
      '6:41 access[3].repositories[0]: fits nothing: in rules these are docker.io/library/…',
      '6:54 access[3].repositories[1]: fits nothing: in rules these are docker.io/…',
      '7:40 access[4].groups[0]: no such group in auth.groups (did you mean devs?)',
      '8:5 access[5]: is about nobody: give it accounts or groups',
      '8:7 access[5].account: unknown key (did you mean accounts?)',
      '9:5 access[6]: expected a mapping of keys to values',
    ]);
  });

  it('are not taken for left out where all of them are commented out', () => {
    expect(faults(`${auth}\naccess:\n#  - { accounts: [alice] }\n`)).toEqual([
      '2:1 access: expected a list',
    ]);
    expect(faults(`${auth}\naccess: []\n`)).toEqual([]);
  });

  it('may name groups that only an outside issuer knows', () => {
    const rules = 'access: [{ groups: [ci], repositories: ["**"], actions: [pull] }]';
    const outside =
      'auth: { issuers: { ci: { issuer: "https://a.example", audience: baleen, groups_claim: groups } } }';
    expect(faults(`${rules}\n${outside}\n`)).toEqual([]);
    expect(faults(`${rules}\nauth: { certificates: dns }\n`)).toEqual([
      '1:21 access[0].groups[0]: no such group in auth.groups',
    ]);
  });

  it('may be about library/ where that is hosted', () => {
    const rules = 'access: [{ accounts: ["*"], repositories: [library/app], actions: [pull] }]';
    expect(faults(`${rules}\n${auth}\ndefault_upstream: none\n`)).toEqual([]);
    expect(faults(`${rules}\n${auth}\n`)).toHaveLength(1);
  });
});
