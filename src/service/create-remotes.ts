import { readFileSync } from 'node:fs';
import picomatch from 'picomatch';
import type { Config, UpstreamConfig } from '../config/config.ts';
import type { Tag } from '../oci/reference.ts';
import type { RouteTableEntry } from '../registry/resolve-route.ts';
import type { UpstreamObserver } from '../upstream/observer.ts';
import { OfflineUpstream } from '../upstream/offline-upstream.ts';
import { RegistryClient } from '../upstream/registry-client.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { createCredentials } from './create-credentials.ts';

/**
 * Builds every configured upstream, with its policy and its names. Opens no connection.
 * @param existing upstreams that are there already and go on under a new policy
 * @throws where a file cannot be read or used
 */
export function createRemotes(
  config: Config,
  observer: UpstreamObserver,
  userAgent: string,
  existing: ReadonlyMap<string, Upstream> = new Map(),
): RouteTableEntry[] {
  return Object.entries(config.upstreams).map(([name, upstream]) => ({
    remote: {
      name,
      upstream: existing.get(name) ?? createUpstream(name, upstream, observer, userAgent),
      policy: {
        tagTtl: tagTtl(upstream),
        negativeTtl: upstream.negative_ttl,
        staleIfError: upstream.stale_if_error,
        revalidateBudget: upstream.timeouts.revalidate,
        resumePatience: upstream.timeouts.resume,
        keepDeleted: upstream.keep_deleted,
      },
      offline: upstream.offline,
      permits: globs(upstream.allow, upstream.deny),
    },
    aliases: upstream.aliases,
    hosts: upstream.hosts,
  }));
}

function createUpstream(
  name: string,
  config: UpstreamConfig,
  observer: UpstreamObserver,
  userAgent: string,
): Upstream {
  if (config.offline) return new OfflineUpstream(name);
  return new RegistryClient({
    name,
    urls: [config.url, ...config.mirrors],
    credentials: config.credentials && createCredentials(name, config.url, config.credentials),
    breaker: {
      failures: config.breaker.failures,
      firstWait: config.breaker.first_wait,
      longestWait: config.breaker.longest_wait,
      longestRetryAfter: config.breaker.longest_retry_after,
    },
    thrift: config.rate_limit,
    realms: config.realms,
    timeouts: config.timeouts,
    minRate: config.min_rate,
    maxBlobSize: config.max_blob_size,
    ca: config.ca === undefined ? undefined : readFileSync(config.ca, 'utf8'),
    proxy: config.proxy,
    connections: config.connections,
    userAgent,
    observer,
  });
}

/** The first pattern that matches decides; matched once a tag, since tags are asked for by the thousand. */
function tagTtl({ tag_ttl }: UpstreamConfig): (tag: Tag) => number {
  if (tag_ttl.patterns.length === 0) return () => tag_ttl.default;
  const patterns = tag_ttl.patterns.map(({ glob, ttl }) => ({ matches: picomatch(glob), ttl }));
  return (tag) => patterns.find(({ matches }) => matches(tag))?.ttl ?? tag_ttl.default;
}

function globs(allow: readonly string[], deny: readonly string[]): (name: string) => boolean {
  if (allow.length === 0 && deny.length === 0) return () => true;
  const allowed = allow.length === 0 ? () => true : picomatch([...allow]);
  const denied = deny.length === 0 ? () => false : picomatch([...deny]);
  return (name) => allowed(name) && !denied(name);
}
