import { isDigest, type Digest } from '../oci/digest.ts';

/** What somebody has said about an image. Times in milliseconds since the epoch. */
export interface Verdict {
  readonly digest: Digest;
  readonly verdict: 'allow' | 'deny';
  /** Told to those who are refused. */
  readonly reason: string | undefined;
  /** Who said so. */
  readonly by: string | undefined;
  readonly at: number;
  /** From when on it counts no more; undefined for never. */
  readonly expires: number | undefined;
  /** Manifests that an index names: what is said of the index holds for them. */
  readonly covers: readonly Digest[];
}

/** What holds for an image now. */
export interface Said extends Verdict {
  /** Set where this is a refusal of one index that names it, and another that does was found good. */
  readonly isDisputed?: true;
}

/** A verdict as a file holds it, and as it is told. */
export interface VerdictDocument {
  readonly digest: string;
  readonly verdict: string;
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
  readonly at: string;
  readonly expires?: string | undefined;
  readonly covers?: readonly string[] | undefined;
}

export function toDocument(verdict: Verdict): VerdictDocument {
  const { expires, covers } = verdict;
  return {
    digest: verdict.digest,
    verdict: verdict.verdict,
    reason: verdict.reason,
    by: verdict.by,
    at: new Date(verdict.at).toISOString(),
    expires: expires === undefined ? undefined : new Date(expires).toISOString(),
    covers: covers.length === 0 ? undefined : covers,
  };
}

/**
 * Reads a verdict's file. One that is damaged counts as a refusal: it may have been one.
 * @param digest as the file's name says
 */
export function parseVerdict(digest: Digest, text: string): Verdict {
  const { verdict, reason, by, at, expires, covers } = objectOf(text);
  const isWhole = verdict === 'allow' || verdict === 'deny';
  if (!isWhole) return { ...damaged, digest };
  const until = typeof expires === 'string' ? Date.parse(expires) : undefined;
  return {
    digest,
    verdict,
    reason: typeof reason === 'string' ? reason : undefined,
    by: typeof by === 'string' ? by : undefined,
    at: (typeof at === 'string' && Date.parse(at)) || 0,
    expires: Number.isNaN(until) ? 0 : until,
    covers: Array.isArray(covers)
      ? covers.filter((each): each is Digest => typeof each === 'string' && isDigest(each))
      : [],
  };
}

const damaged: Omit<Verdict, 'digest'> = {
  verdict: 'deny',
  reason: 'what was said of this image cannot be read any more and has to be said again',
  by: undefined,
  at: 0,
  expires: undefined,
  covers: [],
};

function objectOf(text: string): Partial<Record<keyof Verdict, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
