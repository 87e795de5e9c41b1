import type { ConfigPath, Fault } from './config-error.ts';
import { didYouMean } from './near-match.ts';
import { asMapping, forEachLeaf, type SchemaNode } from './schema-tree.ts';

/** The process environment, or what a test puts in its place. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A value from outside the file, and what to call its origin in a fault. */
export interface Override {
  readonly path: ConfigPath;
  readonly value: unknown;
  /** A variable's or an option's name. */
  readonly source: string;
}

const prefix = 'BALEEN_';

/** Names the file; not a setting. */
export const fileVariable = `${prefix}CONFIG`;

/** Opens the key that a bundle is signed with; not a setting either. */
export const passphraseVariable = `${prefix}PASSPHRASE`;

const noSettings: ReadonlySet<string> = new Set([fileVariable, passphraseVariable]);

/** The variable that overrides a setting: `BALEEN_UPSTREAMS_DOCKER_IO_TAG_TTL`. */
export function variableName(path: ConfigPath): string {
  return (
    prefix +
    path
      .join('_')
      .toUpperCase()
      .replaceAll(/[^A-Z0-9]/g, '_')
  );
}

/**
 * The settings that the environment overrides. Lists are separated by commas. A variable that is
 * empty counts as not set, since that is what compose files make of a missing one.
 * @param raw the file's content: the names under `upstreams` tell which variables exist.
 */
export function readEnvironment(
  env: Environment,
  raw: unknown,
): { overrides: Override[]; faults: Fault[] } {
  const settings = settingsByVariable(raw);
  const overrides: Override[] = [];
  const faults: Fault[] = [];
  for (const [source, value] of Object.entries(env)) {
    if (!source.startsWith(prefix) || noSettings.has(source)) continue;
    if (value === undefined || value === '') continue;
    const found = settings.get(source) ?? [];
    const [setting] = found;
    if (setting === undefined) {
      if (isServiceLink(source, value)) continue;
      const known = [...settings.keys(), fileVariable];
      faults.push({
        path: [],
        where: source,
        message: `no such setting${didYouMean(source, known)}`,
      });
    } else if (found.length > 1) {
      const message = 'could mean several upstreams; set it in the file';
      faults.push({ path: [], where: source, message });
    } else {
      overrides.push({ path: setting.path, value: convert(setting.node, value), source });
    }
  }
  return { overrides, faults };
}

interface Setting {
  readonly path: ConfigPath;
  readonly node: SchemaNode;
}

function settingsByVariable(raw: unknown): ReadonlyMap<string, Setting[]> {
  const settings = new Map<string, Setting[]>();
  forEachLeaf(raw, (path, _value, node) => {
    const name = variableName(path);
    settings.set(name, [...(settings.get(name) ?? []), { path, node }]);
  });
  return settings;
}

function convert(node: SchemaNode, value: string): unknown {
  if (node.type !== 'array') return value;
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/**
 * Whether the variable is one that Kubernetes sets in every pod beside a Service named `baleen`
 * or `baleen-…` (docs: "Service environment variables"); not ours, though it has our prefix.
 */
function isServiceLink(name: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(name)) return true;
  if (/_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)$/.test(name)) return true;
  return /_PORT(_\d+_(TCP|UDP|SCTP))?$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value);
}

/** Puts a value into a tree read from YAML, and makes the mappings that lead to it. */
export function applyOverride(root: Record<string, unknown>, { path, value }: Override): void {
  let mapping = root;
  for (const key of path.slice(0, -1)) {
    const next = Object.hasOwn(mapping, key) ? mapping[key] : undefined;
    // A scalar where a mapping belongs is a fault of the file: left for validation to report.
    if (next !== undefined && next !== asMapping(next) && !Array.isArray(next)) return;
    const child = (next ?? {}) as Record<string, unknown>;
    mapping[key] = child;
    mapping = child;
  }
  const last = path.at(-1);
  if (last !== undefined) mapping[last] = value;
}
