import { z } from 'zod';
import { eventKinds } from './notifications-config.ts';
import { bytes, file, flag, integer, positiveGlob, secret, timeout, type Kind } from './scalars.ts';
import { urlFault } from './url.ts';

const KiB = 1024;

/** An endpoint's name: a folder on disk, and a label of metrics. */
const endpointName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,62}$/,
    'an endpoint is named in lower-case letters, digits, "-" and "_"',
  );

/** Said by the envelope itself, or by the connection (RFC 9110, section 7.6.1). */
const taken: ReadonlySet<string> = new Set(
  'connection content-length content-type expect host keep-alive te trailer transfer-encoding upgrade'.split(
    ' ',
  ),
);

/** RFC 9110, section 5.6.2, "Tokens". */
const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'this is no name of a header')
  .refine((name) => !taken.has(name.toLowerCase()), 'this header is not for you to set');

/** Where to post. A query is let through: many receivers take their token there. */
function webhookUrl() {
  return z
    .string({ error: 'expected a URL' })
    .transform((text, context) => {
      const fault = urlFault(text, ['https', 'http'], { credentials: true, query: true });
      const hasUser = fault === undefined && new URL(text).username !== '';
      const message = hasUser
        ? 'the URL must not hold credentials; use headers or header_files'
        : fault;
      if (message !== undefined) context.addIssue({ code: 'custom', message });
      return text;
    })
    .meta({ kind: 'url' satisfies Kind });
}

const endpoint = z.strictObject({
  url: webhookUrl(),
  headers: z
    .record(headerName, secret().regex(/^[\t\u0020-\u007E\u0080-\u00FF]*$/, 'must be one line'))
    .prefault({}),
  header_files: z.record(headerName, file()).prefault({}),
  events: z
    .array(z.enum(eventKinds, { error: `expected one of ${eventKinds.join(', ')}` }))
    .prefault(['push', 'delete', 'cache', 'hold']),
  repositories: z.array(positiveGlob()).prefault(['**']),
  blobs: flag().prefault(false),
  timeout: timeout().prefault('10s'),
  batch: integer(1, 1000).prefault(50),
  queue_size: bytes({ min: 64 * KiB }).prefault('64MiB'),
  ca: file().optional(),
});

/** `notifications`: who is told of what happens to images. */
export const notificationsSchema = z.strictObject({
  endpoints: z.record(endpointName, endpoint).prefault({}),
});
