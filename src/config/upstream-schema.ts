import { z } from 'zod';
import { parseDuration } from '../lib/duration.ts';
import type { TagTtl } from './config.ts';
import {
  bytes,
  duration,
  file,
  floor,
  flag,
  glob,
  host,
  integer,
  origin,
  secret,
  text,
  timeout,
  url,
  type Kind,
} from './scalars.ts';

/** Taken by routes and by the word for "no upstream"; `library` would hide Docker Hub's official images. */
const reserved: ReadonlySet<string> = new Set(['library', 'none', 'v2']);

/** An upstream's name: a path component of requests, and a directory's name on disk. */
export const upstreamName = z
  .string()
  .max(253, 'is too long for the name of an upstream')
  .regex(
    /^[a-z0-9][a-z0-9.-]*(:\d{1,5})?$/,
    'an upstream is named like a host in lower case, such as registry.example.com or localhost:5000',
  )
  .refine((name) => !reserved.has(name), 'this word cannot name an upstream');

/** Which of the keys go together is checked with the other cross-field rules. */
const credentials = z.strictObject({
  username: text().optional(),
  password: secret().optional(),
  password_file: file().optional(),
  helper: text()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
      'expected what follows docker-credential- in the program’s name',
    )
    .optional(),
  docker_config: file().optional(),
});

/** One mapping, or a list of them: kept as it was given. */
const oneOrMoreCredentials = z
  .unknown()
  .transform((value, context) => {
    if (value === undefined) return undefined;
    const schema = Array.isArray(value)
      ? z.array(credentials).min(1, 'must not be empty: leave it out')
      : credentials;
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) {
      context.issues.push({ ...issue, input: value } as z.core.$ZodRawIssue);
    }
    return z.NEVER;
  })
  .meta(mappingOrList(credentials));

/** What zod cannot tell of a transform: that it takes this mapping, or a list of them. */
function mappingOrList(schema: z.ZodType): { properties?: unknown; items: unknown } {
  const { properties } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return { properties, items: { properties } };
}

const breaker = z
  .strictObject({
    failures: integer(1, 1000).prefault(3),
    first_wait: timeout().prefault('1s'),
    longest_wait: timeout().prefault('1m'),
    longest_retry_after: timeout().prefault('1h'),
  })
  .refine(({ first_wait, longest_wait }) => first_wait <= longest_wait, {
    path: ['longest_wait'],
    error: 'must not be shorter than first_wait',
  });

const rateLimit = z.strictObject({
  floor: floor().prefault('10%'),
  stretch: integer(1, 1000).prefault(10),
});

const timeouts = z.strictObject({
  connect: timeout().prefault('5s'),
  headers: timeout().prefault('15s'),
  idle: timeout().prefault('30s'),
  slow: timeout().prefault('30s'),
  body: timeout().prefault('1m'),
  token: timeout().prefault('10s'),
  revalidate: timeout().prefault('2s'),
  resume: timeout().prefault('1m'),
});

const defaultTagTtl = '1m';

/** One duration for all tags, or one for each glob; the key `default` is for all others. */
const tagTtl = z
  .union([z.string(), z.number(), z.record(glob(), z.union([z.string(), z.number()]))], {
    error: 'expected a duration, or a mapping of tag globs to durations',
  })
  .transform((value, context): TagTtl => {
    const read = (given: string | number, path: string[]): number => {
      const ttl = parseDuration(String(given));
      if (ttl === undefined) {
        const message = 'expected a duration with its unit, such as 30s, 1h30m or 7d';
        context.addIssue({ code: 'custom', message, path });
      }
      return ttl ?? 0;
    };
    if (typeof value !== 'object') return { default: read(value, []), patterns: [] };
    const patterns = Object.entries(value)
      .filter(([pattern]) => pattern !== 'default')
      .map(([pattern, given]) => ({ glob: pattern, ttl: read(given, [pattern]) }));
    return { default: read(value['default'] ?? defaultTagTtl, ['default']), patterns };
  })
  .meta({ kind: 'tag_ttl' satisfies Kind });

const web = ['https', 'http'];

/** One entry of `upstreams`. */
export const upstreamSchema = z.strictObject({
  url: url(web).optional(),
  mirrors: z.array(url(web)).prefault([]),
  aliases: z.array(host()).prefault([]),
  hosts: z.array(host()).prefault([]),
  credentials: oneOrMoreCredentials.optional(),
  realms: z.array(origin()).prefault([]),
  ca: file().optional(),
  proxy: url(['http', 'https'], { credentials: true }).optional(),
  connections: integer(1, 4096).prefault(64),
  timeouts: timeouts.prefault({}),
  min_rate: bytes({ min: 0 }).prefault('1KiB'),
  max_blob_size: bytes({ min: 1 }).prefault('100GiB'),
  breaker: breaker.prefault({}),
  rate_limit: rateLimit.prefault({}),
  tag_ttl: tagTtl.prefault(defaultTagTtl),
  negative_ttl: duration().prefault('10s'),
  stale_if_error: duration().prefault('30d'),
  keep_deleted: flag().prefault(false),
  allow: z.array(glob()).prefault([]),
  deny: z.array(glob()).prefault([]),
  offline: flag().prefault(false),
});
