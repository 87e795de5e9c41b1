import type { UpstreamConfig } from '../config/config.ts';

/**
 * What makes two upstreams one: where it is, how it is reached, and who asks. All but the rules
 * that Baleen itself follows, so that a setting that is new here makes another upstream of it.
 * @param ca the text of its `ca` file
 */
export function upstreamIdentity(config: UpstreamConfig, ca: string | undefined): string {
  const { timeouts, ...rest } = config;
  const { connect, headers, idle, slow, body, token } = timeouts;
  const rules = new Set<string>([
    'aliases',
    'hosts',
    'tag_ttl',
    'negative_ttl',
    'stale_if_error',
    'keep_deleted',
    'allow',
    'deny',
  ] satisfies (keyof UpstreamConfig)[]);
  const entries = Object.entries(rest).filter(([key]) => !rules.has(key));
  return JSON.stringify([
    entries.toSorted(byKey),
    { connect, headers, idle, slow, body, token },
    ca,
  ]);
}

function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}
