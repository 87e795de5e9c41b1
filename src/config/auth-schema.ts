import { z } from 'zod';
import { certificateNames } from './auth-config.ts';
import { duration, file, integer, path, text, timeout, url } from './scalars.ts';

const web = ['https', 'http'];

const failures = z
  .strictObject({
    allowed: integer(1, 1000).prefault(5),
    first_wait: timeout().prefault('1s'),
    longest_wait: timeout().prefault('5m'),
  })
  .refine(({ first_wait, longest_wait }) => first_wait <= longest_wait, {
    path: ['longest_wait'],
    error: 'must not be shorter than first_wait',
  });

const tokens = z.strictObject({
  // Clients take a shorter life for a minute (distribution's token specification, expires_in).
  ttl: duration({ min: 60_000, max: 86_400_000 }).prefault('5m'),
  service: text()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/, 'expected letters, digits and signs without spaces')
    .prefault('baleen'),
  realm: url(web).optional(),
  keys: path().optional(),
});

/** A name in the log, and what stands in front of its accounts unless `prefix` says otherwise. */
const issuerName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'an issuer is named with small letters and digits');

const issuer = z.strictObject({
  issuer: text(),
  audience: text(),
  jwks: url(web).optional(),
  jwks_file: file().optional(),
  ca: file().optional(),
  account_claim: text().prefault('sub'),
  groups_claim: text().optional(),
  prefix: z.string({ error: 'expected text' }).max(64, 'is too long').optional(),
  realm: url(web).optional(),
});

/** `auth`: who is who. */
export const authSchema = z.strictObject({
  htpasswd: path().optional(),
  groups: z.record(text(), z.array(text())).prefault({}),
  failures: failures.prefault({}),
  tokens: tokens.prefault({}),
  issuers: z.record(issuerName, issuer).prefault({}),
  certificates: z
    .enum(certificateNames, { error: `expected one of ${certificateNames.join(', ')}` })
    .optional(),
});
