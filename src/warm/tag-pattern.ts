import { RegistryError } from '../oci/errors.ts';
import { canNameRepository } from '../oci/repository-name.ts';
import { tagGlob } from './tag-glob.ts';
import { compareVersions, parseTagVersion, type TagVersion } from './tag-version.ts';

/** Tags that are wanted of a repository, such as `docker.io/library/nginx:1.2*`. */
export interface TagPattern {
  /** The repository, as written. */
  readonly name: string;
  /** A glob over its tags. */
  readonly pattern: string;
}

/**
 * Lists the tags of a repository.
 * @param name as somebody has written it
 * @throws RegistryError
 */
export type ListTags = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

/** A tag, with what else a glob may have in it. */
const globShape = /^[\w.*?[\]{},!^-]{1,200}$/;
const wildcard = /[*?[{]/;

/** Where more tags fit, somebody has mistyped a pattern. */
const maxTags = 5_000;

/** Reads a reference whose tag is a pattern; undefined for any other text. */
export function parseTagPattern(reference: string): TagPattern | undefined {
  const colon = reference.indexOf(':', reference.lastIndexOf('/') + 1);
  if (colon < 0 || reference.includes('@')) return undefined;
  const [name, pattern] = [reference.slice(0, colon), reference.slice(colon + 1)];
  if (!wildcard.test(pattern) || !globShape.test(pattern)) return undefined;
  return canNameRepository(name) ? { name, pattern } : undefined;
}

/**
 * The references that a pattern stands for, as `name:tag`: the newest first where a number of them is
 * wanted, else in ASCII order.
 * @param newest how many of the newest versions; undefined for every tag that fits
 * @throws RegistryError MANIFEST_UNKNOWN where nothing fits; what listing throws
 */
export async function expandTagPattern(
  { name, pattern }: TagPattern,
  newest: number | undefined,
  list: ListTags,
  signal: AbortSignal,
): Promise<string[]> {
  const tags = await list(name, signal);
  const fits = tagGlob(pattern);
  const fitting = tags.filter((tag) => !ofReferrers.test(tag) && fits(tag));
  if (fitting.length === 0) throw nothing(`none of its ${tags.length} tags fits the pattern`);
  const chosen = newest === undefined ? fitting : newestOf(fitting, newest);
  if (chosen.length === 0) throw nothing('none of the tags that fit is a version');
  if (chosen.length > maxTags) {
    throw new RegistryError('REQUEST_INVALID', `more than ${maxTags} tags fit the pattern`);
  }
  return chosen.map((tag) => `${name}:${tag}`);
}

/** What clients push about an image, beside it (distribution specification, "Referrers Tag Schema"; cosign). */
const ofReferrers = /^sha(?:256|512)-[0-9a-f]{32,}/;

/**
 * The tags of the newest versions. Variants (`1.27-alpine`) are versions of something else than the
 * plain ones: where tags of several families are given, those of the one with the shortest name are
 * meant, which is the plain one if there is one, and `alpine` where the pattern says `*-alpine`. Tags of
 * one version (`1.27`, `1.27.0`, `v1.27.0`) count once; the most precise stands for them.
 */
export function newestOf(tags: readonly string[], count: number): string[] {
  const versions = tags.map(parseTagVersion).filter((version) => version !== undefined);
  const families = [...new Set(versions.map(({ family }) => family))];
  const [meant] = families.toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
  const ranked = versions
    .filter(({ family }) => family === meant)
    .toSorted((a, b) => compareVersions(a, b) || comparePrecision(a, b));
  return ranked
    .filter((version, nth) => {
      const before = ranked[nth - 1];
      return before === undefined || compareVersions(before, version) !== 0;
    })
    .slice(0, count)
    .map(({ tag }) => tag);
}

/** More numbers first; beyond that any order will do, as long as it is one. */
function comparePrecision(a: TagVersion, b: TagVersion): number {
  return b.numbers.length - a.numbers.length || (a.tag < b.tag ? -1 : 1);
}

function nothing(why: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', why);
}
