import type { Config, UpstreamConfig } from './config.ts';
import type { ParsedConfig } from './schema.ts';
import { builtInAliases, defaultUrl } from './well-known.ts';

type ParsedUpstream = ParsedConfig['upstreams'][string];

/**
 * Fills in what depends on more than one value.
 * @param tty whether a person reads the output: decides the log's format where the file does not.
 */
export function resolveConfig(parsed: ParsedConfig, tty: boolean): Config {
  const entries = Object.entries(parsed.upstreams);
  return {
    ...parsed,
    upstreams: Object.fromEntries(
      entries.map(([name, entry]) => [name, resolveUpstream(name, entry, parsed.offline)]),
    ),
    default_upstream: defaultUpstream(parsed),
    log: { ...parsed.log, format: parsed.log.format ?? (tty ? 'pretty' : 'json') },
  };
}

function defaultUpstream({ default_upstream: given, upstreams }: ParsedConfig): string | undefined {
  if (given !== undefined) return given === 'none' ? undefined : given;
  return Object.hasOwn(upstreams, 'docker.io') ? 'docker.io' : undefined;
}

function resolveUpstream(name: string, entry: ParsedUpstream, offline: boolean): UpstreamConfig {
  return {
    ...entry,
    url: entry.url ?? defaultUrl(name),
    aliases: [...new Set([...builtInAliases(name), ...entry.aliases])].filter(
      (alias) => alias !== name,
    ),
    // Cross-field rules have seen to it that the keys of exactly one way are there.
    credentials: entry.credentials as UpstreamConfig['credentials'],
    offline: offline || entry.offline,
  };
}
