import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const below = [
  'http',
  'hosted',
  'access',
  'events',
  'warm',
  'bundle',
  'registry',
  'store',
  'catalog',
  'upstream',
  'oci',
  'lib',
];

/** What each room of the house may import, besides itself. Against this direction nothing goes. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  oci: ['lib'],
  upstream: ['oci', 'lib'],
  catalog: ['oci', 'lib'],
  store: ['oci', 'lib'],
  registry: ['store', 'catalog', 'upstream', 'oci', 'lib'],
  access: ['oci', 'lib'],
  events: ['oci', 'lib'],
  warm: ['registry', 'store', 'catalog', 'upstream', 'oci', 'lib'],
  hosted: ['registry', 'store', 'catalog', 'oci', 'lib'],
  bundle: ['registry', 'store', 'catalog', 'oci', 'lib'],
  http: [
    'hosted',
    'access',
    'warm',
    'bundle',
    'registry',
    'store',
    'catalog',
    'upstream',
    'oci',
    'lib',
  ],
  config: ['oci', 'lib'],
  telemetry: [
    'http',
    'hosted',
    'access',
    'events',
    'warm',
    'registry',
    'store',
    'catalog',
    'upstream',
    'oci',
    'lib',
  ],
  service: [...below, 'config', 'telemetry'],
  cli: [...below, 'config', 'telemetry', 'service'],
};

const root = join(import.meta.dirname, '../src');
const maxLines = 300;

/** Every source file, relative to src, with the source files it imports; types count. */
const files = new Map<string, string[]>();
for (const entry of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
  if (!entry.endsWith('.ts')) continue;
  files.set(entry, importsOf(entry));
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const specifiers = [
    ...text.matchAll(/^(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]/gm),
    ...text.matchAll(/^import\s*['"]([^'"]+)['"]/gm),
    ...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g),
  ].map((match) => match[1] ?? '');
  return specifiers
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(file), specifier)));
}

/** The room of a file; files right under src are the composition root. */
function roomOf(file: string): string {
  return file.includes('/') ? (file.split('/')[0] ?? '') : 'main';
}

/** The first cycle reachable from a file, as the way around it. */
function cycleFrom(start: string): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    done.add(file);
    for (const next of files.get(file) ?? []) {
      const cycle = visit(next, [...path, file]);
      if (cycle !== undefined) return cycle;
    }
    return undefined;
  };
  return visit(start, []);
}

describe('the architecture', () => {
  it('is read from the sources', () => {
    expect(files.size).toBeGreaterThan(50);
    expect(files.get('baleen.ts')?.length).toBeGreaterThan(5);
  });

  it('has no rooms but those that are planned', () => {
    const rooms = new Set([...files.keys()].map(roomOf));
    expect([...rooms].toSorted()).toEqual([...Object.keys(allowed), 'main'].toSorted());
  });

  it.each(Object.keys(allowed))('lets %s import only what lies below it', (room) => {
    const may = [room, ...(allowed[room] ?? [])];
    const against = [...files]
      .filter(([file]) => roomOf(file) === room)
      .flatMap(([file, imports]) =>
        imports.filter((each) => !may.includes(roomOf(each))).map((each) => `${file} → ${each}`),
      );
    expect(against).toEqual([]);
  });

  it('has no import that leads out of src or nowhere', () => {
    const lost = [...files].flatMap(([file, imports]) =>
      imports
        .filter((each) => !files.has(each) && !each.endsWith('.json'))
        .map((each) => `${file} → ${relative('', each)}`),
    );
    expect(lost).toEqual([]);
  });

  it('has no cycles', () => {
    const cycles = [...files.keys()].map(cycleFrom).filter((cycle) => cycle !== undefined);
    expect(cycles.map((cycle) => cycle.join(' → '))).toEqual([]);
  });

  it('has no barrels', () => {
    const barrels = [...files.keys()].filter((file) => /(^|\/)index\.ts$/.test(file));
    expect(barrels).toEqual([]);
  });

  it(`has no file of more than ${String(maxLines)} lines`, () => {
    const long = [...files.keys()].filter(
      (file) => readFileSync(join(root, file), 'utf8').split('\n').length - 1 > maxLines,
    );
    expect(long).toEqual([]);
  });
});
