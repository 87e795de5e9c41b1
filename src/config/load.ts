import { readFileSync } from 'node:fs';
import type { Config } from './config.ts';
import { ConfigError, type ConfigPath, type Fault } from './config-error.ts';
import { crossFieldFaults } from './cross-field.ts';
import { parseConfigDocument, type ConfigDocument } from './document.ts';
import {
  applyOverride,
  fileVariable,
  readEnvironment,
  type Environment,
  type Override,
} from './environment.ts';
import { fileFaults, readFailure } from './files.ts';
import { faultsOf } from './issues.ts';
import { resolveConfig } from './resolve.ts';
import { asMapping, schemaTree } from './schema-tree.ts';
import { configSchema } from './schema.ts';

export interface LoadOptions {
  /** The YAML file; without it, the one that BALEEN_CONFIG names; without that, defaults only. */
  readonly file?: string | undefined;
  readonly env: Environment;
  /** Options of the command line; they win over the environment, which wins over the file. */
  readonly overrides?: readonly Override[];
  /** Whether the output goes to a person's terminal: the default of `log.format`. */
  readonly tty?: boolean;
}

/**
 * Reads the configuration: file, then environment, then command line, then defaults for the rest.
 * @throws ConfigError with every fault there is, each with its place. Nothing else.
 */
export function loadConfig({ file, env, overrides = [], tty = false }: LoadOptions): Config {
  const document = readDocument(file, env);
  if (document !== undefined && document.content === undefined)
    throw new ConfigError(document.faults);
  const faults: Fault[] = [...(document?.faults ?? [])];

  const content = document?.content ?? {};
  if (asMapping(content) !== content) {
    const where = document?.where([]);
    throw new ConfigError([
      ...faults,
      { path: [], message: 'expected a mapping of keys to values', where },
    ]);
  }
  const raw = withoutNulls(asMapping(content));
  if (raw['upstreams'] === undefined) raw['upstreams'] = defaultUpstreams();

  const environment = readEnvironment(env, raw);
  const applied = [...environment.overrides, ...overrides];
  for (const override of applied) applyOverride(raw, override);

  const result = configSchema.safeParse(raw);
  const found = [
    ...(result.success ? [] : faultsOf(result.error)),
    ...crossFieldFaults(raw),
    ...fileFaults(raw),
  ]
    .filter(({ path }) => !faults.some((known) => startsWith(path, known.path)))
    .map((fault) => ({ ...fault, where: origin(fault.path, applied, document) }));
  faults.push(...found, ...environment.faults);
  if (!result.success || faults.length > 0) throw new ConfigError(faults.toSorted(byPlace));
  return resolveConfig(result.data, tty);
}

function readDocument(given: string | undefined, env: Environment): ConfigDocument | undefined {
  const fromEnvironment = env[fileVariable] === '' ? undefined : env[fileVariable];
  const file = given ?? fromEnvironment;
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const source = given === undefined ? `${fileVariable}: ${file}` : file;
    throw new ConfigError([{ path: [], where: source, message: readFailure(error) }]);
  }
  return parseConfigDocument(text, file, env);
}

/**
 * A copy without the keys that have no value, as a file has where all that stood under a key is
 * commented out.
 */
function withoutNulls(mapping: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy = (value: unknown, depth: number, parent: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1, ''));
    if (asMapping(value) !== value) return value;
    const entries = Object.entries(value as Record<string, unknown>)
      .map(([key, child]) => [key, copy(child, depth + 1, key)] as const)
      .map(
        ([key, child]) =>
          [key, child === null && isKeptEmpty(key, depth, parent) ? {} : child] as const,
      )
      .filter(([, child]) => child !== null);
    return Object.fromEntries(entries);
  };
  return copy(mapping, 0, '') as Record<string, unknown>;
}

/**
 * An upstream without a value, and accounts or rules without one: who comments out all that stands
 * below `auth` or `access` does not mean that everybody may do everything. (Rules are a list: this
 * is a fault, then.)
 */
function isKeptEmpty(key: string, depth: number, parent: string): boolean {
  return depth === 0 ? key === 'auth' || key === 'access' : depth === 1 && parent === 'upstreams';
}

function defaultUpstreams(): unknown {
  return structuredClone(schemaTree.properties?.['upstreams']?.default);
}

function startsWith(path: ConfigPath, start: ConfigPath): boolean {
  return start.length > 0 && start.every((part, index) => path[index] === part);
}

/** The last override that set the value or something in it; else its place in the file. */
function origin(
  path: ConfigPath,
  overrides: readonly Override[],
  document: ConfigDocument | undefined,
): string | undefined {
  const setter = overrides.findLast(
    (override) => startsWith(path, override.path) || startsWith(override.path, path),
  );
  return setter?.source ?? document?.where(path);
}

/** In the order of the file's lines, then the others. */
function byPlace(one: Fault, other: Fault): number {
  return lineOf(one) - lineOf(other);
}

function lineOf({ where }: Fault): number {
  const match = /:(\d+):(\d+)$/.exec(where ?? '');
  return match === null ? Number.MAX_SAFE_INTEGER : Number(match[1]) * 10_000 + Number(match[2]);
}
