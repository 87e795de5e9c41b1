import type { Config } from '../config/config.ts';
import type { UpstreamNames } from '../registry/image-target.ts';

/** What upstreams may be called on a command line. */
export function upstreamNames({ upstreams, default_upstream }: Config): UpstreamNames {
  const names = Object.entries(upstreams).flatMap(([name, { aliases }]) =>
    [name, ...aliases].map((each) => [each, name] as const),
  );
  return { upstreams: new Map(names), defaultUpstream: default_upstream };
}
