import { isDigest, parseDigest, type Digest } from './digest.ts';
import { RegistryError } from './errors.ts';

/** A tag, checked (distribution specification, "Pulling manifests": `<reference>` as a tag). */
export type Tag = string & { readonly __brand: 'Tag' };

/** What stands behind `manifests/`: a tag or a digest. */
export type Reference = Tag | Digest;

const tagShape = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Whether the text is a well-formed tag. What passes is safe as a file name. */
export function isTag(text: string): text is Tag {
  return tagShape.test(text);
}

/**
 * Parses a tag or a digest; whatever holds a colon is meant as a digest.
 * @throws RegistryError DIGEST_INVALID or TAG_INVALID
 */
export function parseReference(text: string): Reference {
  if (text.includes(':')) return parseDigest(text);
  if (isTag(text)) return text;
  throw new RegistryError('TAG_INVALID', undefined, { detail: { tag: text.slice(0, 200) } });
}

/** Tells the two kinds of reference apart. */
export function isDigestReference(reference: Reference): reference is Digest {
  return isDigest(reference);
}

/**
 * The tag under which registries without a referrers API keep an image's referrers
 * (distribution specification, "Referrers Tag Schema": algorithm cut to 32 characters, the
 * encoded part to 64).
 */
export function referrersTag(subject: Digest): Tag {
  const colon = subject.indexOf(':');
  return `${subject.slice(0, colon).slice(0, 32)}-${subject.slice(colon + 1).slice(0, 64)}` as Tag;
}

/** Whether a tag may be one of those: clients ask for it where they look for an image's referrers. */
export function isReferrersTag(text: string): boolean {
  return /^sha(?:256|512)-[0-9a-f]{64}$/.test(text);
}
