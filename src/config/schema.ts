import { z } from 'zod';
import { logLevels, tlsVersions } from './config.ts';
import {
  bytes,
  duration,
  durationOrOff,
  file,
  flag,
  host,
  integer,
  listen,
  listenOrOff,
  path,
  secret,
  share,
  text,
  timeout,
  url,
  type Kind,
} from './scalars.ts';
import { accessSchema } from './access-schema.ts';
import { holdSchema } from './hold-schema.ts';
import { authSchema } from './auth-schema.ts';
import { hostedSchema } from './hosted-schema.ts';
import { notificationsSchema } from './notifications-schema.ts';
import { upstreamName, upstreamSchema } from './upstream-schema.ts';
import { warmSchema } from './warm-schema.ts';
import { wellKnownUpstreams } from './well-known.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** What stands in the file where `server.listen` and `operations.listen` are not given. */
export const defaultListen = { server: '0.0.0.0:5000', operations: '127.0.0.1:5001' } as const;

const tls = z.strictObject({
  cert: file(),
  key: file(),
  client_ca: file().optional(),
  min_version: z
    .enum(tlsVersions, { error: `expected one of ${tlsVersions.join(', ')}` })
    .prefault('TLSv1.2'),
});

const limits = z.strictObject({
  connections: integer(1, 1_000_000).prefault(16_384),
  per_client: z
    .strictObject({
      connections: integer(1, 1_000_000).optional(),
      requests: integer(1, 1_000_000).optional(),
      requests_per_minute: integer(1, 10_000_000).optional(),
      burst: integer(1, 10_000_000).optional(),
    })
    .prefault({}),
});

const server = z.strictObject({
  listen: listen().prefault(defaultListen.server),
  tls: tls.optional(),
  headers_timeout: timeout().prefault('15s'),
  keep_alive_timeout: timeout().prefault('75s'),
  stall_timeout: timeout().prefault('2m'),
  max_header_size: bytes({ min: KiB, max: MiB }).prefault('16KiB'),
  drain_timeout: duration({ max: 86_400_000 }).prefault('30s'),
  limits: limits.prefault({}),
});

const operations = z.strictObject({
  listen: listenOrOff().prefault(defaultListen.operations),
  hosts: z.array(host()).prefault([]),
});

const scrub = z.strictObject({
  interval: durationOrOff().prefault('30d'),
  rate: bytes({ min: KiB }).prefault('20MiB'),
});

const storage = z.strictObject({
  directory: path().prefault('./data'),
  max_size: bytes({ min: MiB }).optional(),
  high_watermark: share({ min: 0.1 }).prefault('95%'),
  low_watermark: share({ min: 0.05 }).prefault('90%'),
  unused_ttl: duration({ min: 1_000 }).optional(),
  manifest_cache: bytes({ min: MiB }).prefault('32MiB'),
  send_buffers: bytes({ min: MiB }).prefault('32MiB'),
  continue_downloads: flag().prefault(true),
  spool_ttl: duration().prefault('7d'),
  scrub: scrub.prefault({}),
  quarantine_size: bytes({ min: 0 }).prefault('1GiB'),
});

const bundles = z.strictObject({
  trusted_keys: z.array(file()).prefault([]),
  require_signature: flag().prefault(false),
});

const redis = z.strictObject({
  url: url(['redis', 'rediss'], { credentials: true }),
  password: secret().optional(),
  password_file: file().optional(),
  key_prefix: text().prefault('baleen'),
  timeout: timeout().prefault('100ms'),
});

const catalog = z.strictObject({ redis: redis.optional() });

const log = z.strictObject({
  level: z.enum(logLevels, { error: `expected one of ${logLevels.join(', ')}` }).prefault('info'),
  format: z.enum(['json', 'pretty'], { error: 'expected json or pretty' }).optional(),
  access: flag().prefault(true),
});

/** The file, key by key: the contract with those who wrote one. */
export const configSchema = z.strictObject({
  server: server.prefault({}),
  operations: operations.prefault({}),
  storage: storage.prefault({}),
  catalog: catalog.prefault({}),
  upstreams: z
    .record(upstreamName, upstreamSchema)
    .prefault(() => Object.fromEntries(wellKnownUpstreams.map((name) => [name, {}]))),
  default_upstream: z
    .string({ error: 'expected the name of an upstream, or none' })
    .optional()
    .meta({ kind: 'upstream_or_none' satisfies Kind }),
  hosted: hostedSchema.prefault({}),
  auth: authSchema.optional(),
  access: accessSchema.optional(),
  notifications: notificationsSchema.prefault({}),
  bundles: bundles.prefault({}),
  hold: holdSchema.prefault({}),
  warm: warmSchema.prefault({}),
  offline: flag().prefault(false),
  log: log.prefault({}),
});

/** The file as read: values resolved, but nothing yet that depends on two of them. */
export type ParsedConfig = z.output<typeof configSchema>;
