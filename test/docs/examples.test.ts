import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { parse } from 'yaml';
import type { CommandContext } from '../../src/cli/context.ts';
import { createProgram } from '../../src/cli/program.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadConfig } from '../../src/config/load.ts';
import { configSchema } from '../../src/config/schema.ts';

const root = join(import.meta.dirname, '../..');
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];
const keys = new Set(Object.keys(configSchema.shape));

/** The parts of a page that show a configuration: in YAML, with none but its keys. */
function examplesIn(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = '']) => block);
  return blocks.filter((block) => {
    const value: unknown = parse(block);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return Object.keys(value).every((key) => keys.has(key));
  });
}

/** What is wrong with a configuration, but for files that are not on this machine. */
function faultsOf(text: string): string[] {
  const file = join(mkdtempSync(join(tmpdir(), 'baleen-docs-')), 'config.yaml');
  writeFileSync(file, text);
  // What an example takes from the environment is there.
  const names = [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => [name, 'a value']);
  const env = Object.fromEntries(names) as Record<string, string>;
  try {
    loadConfig({ file, env });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ message }) => message).filter((it) => !/no such file/.test(it));
  }
}

/** The lines of a page that run Baleen. */
function commandsIn(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
  const lines = blocks.flatMap((block) => block.split('\n'));
  return lines
    .filter((line) => line.startsWith('baleen '))
    .map((line) => line.split(' #')[0] ?? '');
}

/** What of a command line Baleen does not know. */
function unknownIn(line: string): string[] {
  const [, ...words] = line.trim().split(/ +/);
  let command: Command = createProgram(nowhere);
  const known = new Set(command.options.map(({ long }) => long));
  let isSettled = false;
  const unknown: string[] = [];
  for (const word of words) {
    if (word.startsWith('--')) {
      if (!known.has(word.split('=')[0])) unknown.push(word);
      continue;
    }
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) {
      if (command.commands.length > 0 && !isSettled && !line.startsWith('baleen --'))
        unknown.push(word);
      isSettled = true;
      continue;
    }
    command = next;
    for (const { long } of command.options) known.add(long);
  }
  return unknown;
}

const nowhere = {
  actions: { serve: () => Promise.resolve() },
  env: {},
  version: '1',
  tty: false,
  stdin: process.stdin,
  stdout: () => undefined,
  stderr: () => undefined,
} satisfies CommandContext;

describe('the commands that the documentation shows', () => {
  const lines = pages.flatMap((page) => commandsIn(page).map((line) => ({ page, line })));

  it('would be found wrong if they were', () => {
    expect(unknownIn('baleen verfy --repair')).toEqual(['verfy', '--repair']);
    expect(unknownIn('baleen user add alice --passwort-stdin')).toEqual(['--passwort-stdin']);
  });

  it.each(lines)('are known: $line ($page)', ({ line }) => {
    expect(unknownIn(line)).toEqual([]);
  });
});

describe('the configurations that the documentation shows', () => {
  const examples = pages.flatMap((page) => examplesIn(page).map((text) => ({ page, text })));

  it('are found', () => {
    const found = new Set(examples.map(({ page }) => page));
    expect(found).toContain('README.md');
    expect(found).toContain('docs/registry.md');
    expect(faultsOf('sever: {}')).not.toEqual([]);
  });

  it.each(examples)('are good: $page', ({ text }) => {
    expect(faultsOf(text)).toEqual([]);
  });
});
