import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadConfig } from '../../src/config/load.ts';
import { forEachLeaf } from '../../src/config/schema-tree.ts';

const example = join(import.meta.dirname, '../../config.example.yaml');
const text = readFileSync(example, 'utf8');
/** The example with every commented setting switched on. */
const everything = text.replaceAll(/^( *)#((?: {2})*(?:# .*|- .*|[A-Za-z_-]+:.*))$/gm, '$1$2');

/** Whose keys are for the user to choose. */
const chosen = [
  /^upstreams$/,
  /^auth\.(groups|issuers)$/,
  /^notifications\.endpoints$/,
  /^notifications\.endpoints\.\*\.header(s|_files)$/,
  /^warm\.schedules$/,
];

/** One of everything whose name is for the user to choose. */
const oneOfEach = {
  upstreams: { '*': {} },
  auth: { groups: { '*': [] }, issuers: { '*': {} } },
  notifications: { endpoints: { '*': { headers: { '*': '' }, header_files: { '*': '' } } } },
  warm: { schedules: { '*': {} } },
};

/** The paths of all leaves, with `*` for the names that users choose. */
function leafPaths(values: unknown): Set<string> {
  const paths = new Set<string>();
  forEachLeaf(values, (path, value) => {
    if (value === undefined) return;
    const general = path.reduce<string>((parent, key) => {
      const name = chosen.some((pattern) => pattern.test(parent)) ? '*' : String(key);
      return parent === '' ? name : `${parent}.${name}`;
    }, '');
    paths.add(general);
  });
  return paths;
}

describe('config.example.yaml', () => {
  it('loads cleanly, and shows the defaults that are in effect without it', () => {
    expect(loadConfig({ file: example, env: {} })).toEqual(loadConfig({ env: {} }));
  });

  it('documents every key of the schema', () => {
    const documented = leafPaths(parse(everything));
    const inSchema = new Set<string>();
    forEachLeaf(oneOfEach, (path) => inSchema.add(path.join('.')));
    expect([...inSchema].filter((path) => !documented.has(path))).toEqual([]);
    expect([...documented].filter((path) => !inSchema.has(path))).toEqual([]);
  });

  it('shows a default wherever there is one', () => {
    // Some are shown in a block that is switched off as a whole.
    const isOff = ([section, key]: readonly (string | number)[]): boolean =>
      section === 'auth' ||
      ['redis', 'tls', 'endpoints', 'schedules', 'observed'].includes(String(key));
    const shown = leafPaths(parse(text));
    forEachLeaf(oneOfEach, (path, _value, node) => {
      if (node.default !== undefined && !isOff(path)) expect(shown).toContain(path.join('.'));
    });
    forEachLeaf(parse(everything), (path, value, node) => {
      // What is shown in one of several entries need not be in the others.
      if (!isOff(path) || node.default === undefined || value === undefined) return;
      // Nothing can be seen in a list that is empty.
      if (Array.isArray(node.default) && node.default.length === 0) return;
      expect(value).toEqual(node.default);
    });
  });

  it('has no fault but missing files and things given twice when all of it is switched on', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'baleen-example-')), 'config.yaml');
    writeFileSync(file, everything);
    const env = { REDIS_PASSWORD: 'a', DOCKER_HUB_TOKEN: 'b', SCANNER_TOKEN: 'c' };
    let messages: string[] = [];
    try {
      loadConfig({ file, env });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      messages = error.faults.map(({ message }) => message);
    }
    const expected =
      /^(there is no such file|the password is given twice, by password and password_file|clients are sent elsewhere already, by tokens)$/;
    expect(messages.filter((message) => !expected.test(message))).toEqual([]);
    expect(messages.length).toBeGreaterThan(0);
  });
});
