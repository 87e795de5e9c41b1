import { stringify } from 'yaml';
import { formatByteSize } from '../lib/byte-size.ts';
import { formatDuration } from '../lib/duration.ts';
import type { Config, FloorConfig, Listen, TagTtl } from './config.ts';
import { formatFloor } from './floor.ts';
import { formatShare } from '../lib/share.ts';
import { formatListen } from './listen.ts';
import type { Kind } from './scalars.ts';
import { asMapping, childrenOf, isBranch, schemaTree, type SchemaNode } from './schema-tree.ts';
import { redactUrl } from './url.ts';

const starred = '***';

/** The effective configuration as YAML. It can be loaded again, but its secrets are starred out. */
export function printConfig(config: Config): string {
  return stringify(describe(config, schemaTree), { lineWidth: 0 });
}

function describe(value: unknown, node: SchemaNode): unknown {
  if (isBranch(node)) {
    if (value === undefined) return undefined;
    if (Array.isArray(value)) return value.map((item) => describe(item, node.items ?? {}));
    const mapping = asMapping(value);
    const children = childrenOf(node, Object.keys(mapping))
      .map(([key, child]) => [key, describe(mapping[key], child)] as const)
      .filter(([, child]) => child !== undefined);
    return Object.fromEntries(children);
  }
  if (Array.isArray(value)) return value.map((item) => describe(item, node.items ?? {}));
  return node.kind === undefined ? value : format(node.kind, value);
}

/** How each kind of value is written; what stands for "off" is written even where there is no value. */
function format(kind: Kind, value: unknown): unknown {
  if (kind === 'listen_or_off') return value === undefined ? 'off' : formatListen(value as Listen);
  if (kind === 'upstream_or_none') return value ?? 'none';
  if (value === undefined) return undefined;
  switch (kind) {
    case 'bytes':
      return formatByteSize(value as number);
    case 'share':
      return formatShare(value as number);
    case 'duration':
      return formatDuration(value as number);
    case 'listen':
      return formatListen(value as Listen);
    case 'tag_ttl':
      return formatTagTtl(value as TagTtl);
    case 'floor':
      return formatFloor(value as FloorConfig);
    case 'url':
      return redactUrl(value as string);
    case 'secret':
      return starred;
    case 'file':
    default:
      return value;
  }
}

function formatTagTtl(ttl: TagTtl): unknown {
  if (ttl.patterns.length === 0) return formatDuration(ttl.default);
  return Object.fromEntries([
    ...ttl.patterns.map((pattern) => [pattern.glob, formatDuration(pattern.ttl)] as const),
    ['default', formatDuration(ttl.default)] as const,
  ]);
}
