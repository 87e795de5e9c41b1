import { parseDuration } from '../lib/duration.ts';
import { isDigest, parseDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';

/** What somebody says about an image. */
export interface VerdictParameters {
  /** A digest, or an image as a client would ask for it. */
  readonly image: string | Digest;
  /** `none` takes back what was said before. */
  readonly verdict: 'allow' | 'deny' | 'none';
  readonly reason: string | undefined;
  readonly by: string | undefined;
  /** Milliseconds for which it counts; undefined for ever. */
  readonly expiresIn: number | undefined;
}

const longest = { reason: 1000, by: 200, expires_in: 30 } as const;

/**
 * Reads what `POST /api/verdicts` is given: `digest` or `image`, `verdict` (allow, deny, none), and
 * where wanted `reason`, `by` and `expires_in`, such as 7d.
 * @throws RegistryError REQUEST_INVALID, DIGEST_INVALID
 */
export function verdictParameters(given: object): VerdictParameters {
  const { digest, image, verdict, reason, by, expires_in, ...unknown } = given as Record<
    string,
    unknown
  >;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalid(`there is no parameter ${JSON.stringify(name)}`);
  if (verdict !== 'allow' && verdict !== 'deny' && verdict !== 'none') {
    throw invalid('verdict has to be allow, deny or none');
  }
  return {
    image: imageOf(digest, image),
    verdict,
    reason: textOf('reason', reason),
    by: textOf('by', by),
    expiresIn: durationOf(textOf('expires_in', expires_in)),
  };
}

/**
 * Reads what `GET /api/verdicts` is asked for: one `digest` or `image`, or undefined for all.
 * @throws RegistryError REQUEST_INVALID, DIGEST_INVALID
 */
export function verdictQuery(given: object): string | undefined {
  const { digest, image, ...unknown } = given as Record<string, unknown>;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalid(`there is no parameter ${JSON.stringify(name)}`);
  return digest === undefined && image === undefined ? undefined : imageOf(digest, image);
}

function imageOf(digest: unknown, image: unknown): string {
  if ((digest === undefined) === (image === undefined)) throw invalid('give a digest or an image');
  const text = digest ?? image;
  if (typeof text !== 'string' || text === '' || text.length > 1000) {
    throw invalid('the digest or image has to be text');
  }
  return digest === undefined || isDigest(text) ? text : parseDigest(text);
}

function textOf(name: keyof typeof longest, given: unknown): string | undefined {
  if (given === undefined || given === null || given === '') return undefined;
  if (typeof given === 'string' && given.length <= longest[name]) return given;
  throw invalid(`${name} has to be text of up to ${longest[name]} characters`);
}

function durationOf(text: string | undefined): number | undefined {
  const milliseconds = text === undefined ? undefined : parseDuration(text);
  const isWrong = text !== undefined && (milliseconds === undefined || milliseconds <= 0);
  if (isWrong) throw invalid('expires_in has to be a duration with its unit, such as 12h or 7d');
  return milliseconds;
}

function invalid(message: string): RegistryError {
  return new RegistryError('REQUEST_INVALID', message);
}
