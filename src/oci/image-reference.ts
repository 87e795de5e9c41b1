import { isDigest, parseDigest, type Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { isTag, type Reference, type Tag } from './reference.ts';

/** An image as people write it: `nginx`, `nginx:1.25`, `ghcr.io/org/app@sha256:…`. */
export interface ImageReference {
  /** As written: with a registry in front or without. */
  readonly name: string;
  readonly tag: Tag | undefined;
  readonly digest: Digest | undefined;
}

/**
 * Reads an image reference. A tag beside a digest is left aside, as clients do.
 * @throws RegistryError DIGEST_INVALID, TAG_INVALID, or NAME_INVALID where there is no name
 */
export function parseImageReference(text: string): ImageReference {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  const named = at < 0 ? text : text.slice(0, at);
  // A colon before a slash is that of a registry's port.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (name === '' || isDigest(text)) throw new RegistryError('NAME_INVALID');
  if (tag !== undefined && !isTag(tag)) {
    throw new RegistryError('TAG_INVALID', undefined, { detail: { tag: tag.slice(0, 200) } });
  }
  return { name, tag: digest === undefined ? tag : undefined, digest };
}

/** An image's name as people write it, of a repository's full name and a tag or digest. */
export function imageName(repository: string, reference: Reference): string {
  return `${repository}${isDigest(reference) ? '@' : ':'}${reference}`;
}
