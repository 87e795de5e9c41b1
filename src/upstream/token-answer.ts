/** A bearer token as the token endpoint gave it. */
export interface IssuedToken {
  readonly token: string;
  /** Milliseconds from its issue on. */
  readonly lifetime: number;
}

/** "If omitted, this defaults to 60 seconds" (distribution's token specification, expires_in). */
const defaultLifetime = 60_000;

/** Whatever it claims, a token is asked for again after a day. */
const longestLifetime = 86_400_000;

/** What may stand in a header (RFC 6750 allows less, registries send more). */
const tokenShape = /^[\x21-\x7e]+$/;

/**
 * Reads the answer of a token endpoint: `token` or `access_token` (ACR sends only the latter), and
 * `expires_in` in seconds, else the `exp` of a JWT, else 60 s.
 * @param now milliseconds since the epoch
 * @returns undefined where there is no usable token
 */
export function parseTokenAnswer(body: Buffer, now: number): IssuedToken | undefined {
  const document = parseObject(body.toString('utf8'));
  const { token, access_token: accessToken, expires_in: expiresIn } = document;
  const value = [token, accessToken].find((text) => typeof text === 'string' && text !== '');
  if (typeof value !== 'string' || !tokenShape.test(value)) return undefined;
  const seconds = typeof expiresIn === 'string' ? Number(expiresIn) : expiresIn;
  const lifetime =
    typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0
      ? seconds * 1000
      : (jwtLifetime(value, now) ?? defaultLifetime);
  return { token: value, lifetime: Math.min(lifetime, longestLifetime) };
}

/** How long a JWT lives; counted from its own `iat` where it has one, so that clocks need not agree. */
function jwtLifetime(token: string, now: number): number | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  const { exp, iat } = parseObject(Buffer.from(payload, 'base64url').toString('utf8'));
  if (typeof exp !== 'number') return undefined;
  const lifetime = exp * 1000 - (typeof iat === 'number' ? iat * 1000 : now);
  return Number.isFinite(lifetime) && lifetime > 0 ? lifetime : undefined;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
