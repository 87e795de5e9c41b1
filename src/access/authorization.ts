import { RegistryError } from '../oci/errors.ts';

/** What an Authorization header holds (RFC 9110, section 11.6.2). */
export type Authorization =
  | { readonly scheme: 'basic'; readonly username: string; readonly password: string }
  | { readonly scheme: 'bearer'; readonly token: string };

/** Characters of a header: more than any issuer's token has, and what hashing costs nothing for. */
const maxLength = 12 * 1024;

/**
 * Reads an Authorization header: Basic (RFC 7617) or Bearer (RFC 6750).
 * @throws RegistryError UNAUTHORIZED
 */
export function parseAuthorization(header: string): Authorization {
  const space = header.indexOf(' ');
  const scheme = header.slice(0, Math.max(space, 0)).toLowerCase();
  const value = header.slice(space + 1).trim();
  if (value === '' || header.length > maxLength) throw unreadable();
  if (scheme === 'bearer') return { scheme, token: value };
  if (scheme !== 'basic') throw unreadable();
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 1) throw unreadable();
  return { scheme, username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

function unreadable(): RegistryError {
  return new RegistryError('UNAUTHORIZED', 'the Authorization header cannot be read');
}
