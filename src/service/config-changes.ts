import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/config.ts';
import { formatPath } from '../config/config-error.ts';
import { forEachLeaf } from '../config/schema-tree.ts';

/* What a configuration that was read again changes: decided here, done in reload.ts. */

/** Keys by their path, such as `upstreams.docker.io.tag_ttl`; no values, for they may be secrets. */
export interface ConfigChanges {
  /** What takes effect at once. */
  readonly applied: readonly string[];
  /** What is other than at the start, and stays as it was then. */
  readonly needsRestart: readonly string[];
}

/** All that stands under these takes effect at once; the rest is for the next start. */
const live = [
  'upstreams',
  'default_upstream',
  'hosted.repositories',
  'hosted.delete',
  'hosted.rules',
  'hosted.gc',
  'offline',
  'notifications',
  'bundles',
  'hold',
  'warm',
  'log.level',
  'log.access',
  'server.drain_timeout',
  'server.limits',
];

/**
 * Compares a configuration that was read again with what is in force.
 * @param started what the process was started with
 * @param current what was read last
 */
export function configChanges(started: Config, current: Config, next: Config): ConfigChanges {
  const isLive = (key: string): boolean =>
    isUnder(key, live) || isRotation(key, started, next) || isAccess(key, started, next);
  return {
    applied: changedKeys(current, next).filter(isLive),
    needsRestart: changedKeys(started, next).filter((key) => !isLive(key)),
  };
}

/** Certificates may change; whether there is TLS, and whether clients need one, may not. */
function isRotation(key: string, started: Config, next: Config): boolean {
  if (!isUnder(key, ['server.tls'])) return false;
  const before = started.server.tls;
  const after = next.server.tls;
  if (before === undefined || after === undefined) return false;
  return (before.client_ca === undefined) === (after.client_ca === undefined);
}

/**
 * How to log in may change, and who may do what; whether there are accounts, whether clients are asked for a certificate,
 * and where the keys are that sign tokens, may not.
 */
function isAccess(key: string, { auth: before }: Config, { auth: after }: Config): boolean {
  if (!isUnder(key, ['auth', 'access']) || key === 'auth.tokens.keys') return false;
  if (before === undefined || after === undefined) return false;
  if (key !== 'auth.certificates') return true;
  return (before.certificates === undefined) === (after.certificates === undefined);
}

function isUnder(key: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => key === prefix || key.startsWith(`${prefix}.`));
}

/** The keys whose values differ, in the order of the schema. */
export function changedKeys(one: Config, other: Config): string[] {
  const [before, after] = [leavesOf(one), leavesOf(other)];
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(before.get(key), after.get(key)));
}

function leavesOf(config: Config): ReadonlyMap<string, unknown> {
  const leaves = new Map<string, unknown>();
  forEachLeaf(config, (path, value) => leaves.set(formatPath(path), value));
  return leaves;
}
