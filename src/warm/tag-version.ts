/** What a tag says of the version it stands for. */
export interface TagVersion {
  readonly tag: string;
  /** `1.27.3` as three numbers; what is not written counts as 0. */
  readonly numbers: readonly bigint[];
  /** `rc.2` of `1.28.0-rc.2`; undefined for a release. */
  readonly preRelease: string | undefined;
  /**
   * What it shares with the other tags of its variant: `alpine` of `1.27-alpine`, `alpine0` of
   * `1.27-alpine3.20`; empty for the plain ones. Versions are compared within a family.
   */
  readonly family: string;
  /** The numbers in the name of the variant, such as 3 and 20. */
  readonly variantNumbers: readonly bigint[];
}

/** The words for what is not yet a release. Of letters alone only with a number, as Python has them: `3.14.0b1`. */
const preReleaseWords =
  'alpha|beta|pre|preview|rc|cr|dev|nightly|snapshot|canary|next|ea|milestone|(?:a|b|m)(?=\\d)';

/** There is one way only to read a number: where there are many, tags can be made up that take hours. */
const shape = new RegExp(
  String.raw`^v?(\d+(?:\.\d+)*)(?:[-._]?((?:${preReleaseWords})\d*(?:[.-]\d+)*)(?![a-z]))?(?:[-_.+](.+))?$`,
  'i',
);

/** More digits than this, with no dot, are a date or the number of a build. */
const longestMajor = 5;

/** Reads a tag as a version; undefined where it is none, such as `latest`. */
export function parseTagVersion(tag: string): TagVersion | undefined {
  const match = shape.exec(tag);
  if (match === null) return undefined;
  const [, core = '', preRelease, variant = ''] = match;
  const isCount = core.length > longestMajor && !core.includes('.');
  return {
    tag,
    numbers: core.split('.').map(BigInt),
    preRelease: preRelease?.toLowerCase(),
    family: `${isCount ? 'build#' : ''}${variant.replaceAll(/\d+(?:\.\d+)*/g, '0')}`,
    variantNumbers: numbersIn(variant),
  };
}

/**
 * Newer first: releases before all pre-releases, since whoever asks for the newest wants to run it;
 * then by the numbers, as semver compares them (semver.org, 11).
 */
export function compareVersions(a: TagVersion, b: TagVersion): number {
  return (
    Number(a.preRelease !== undefined) - Number(b.preRelease !== undefined) ||
    compareNumbers(b.numbers, a.numbers) ||
    comparePreReleases(b.preRelease ?? '', a.preRelease ?? '') ||
    compareNumbers(b.variantNumbers, a.variantNumbers)
  );
}

function compareNumbers(a: readonly bigint[], b: readonly bigint[]): number {
  for (let nth = 0; nth < Math.max(a.length, b.length); nth += 1) {
    const [left, right] = [a[nth] ?? 0n, b[nth] ?? 0n];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** `alpha` before `beta` before `rc`, which is their order in the alphabet; then by their numbers. */
function comparePreReleases(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.replaceAll(/[^a-z]/g, '')) as [string, string];
  if (left !== right) return left < right ? -1 : 1;
  return compareNumbers(numbersIn(a), numbersIn(b));
}

function numbersIn(text: string): bigint[] {
  return (text.match(/\d+/g) ?? []).map(BigInt);
}
