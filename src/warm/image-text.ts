import { parseImageReference } from '../oci/image-reference.ts';
import { canNameRepository } from '../oci/repository-name.ts';
import { parseTagPattern } from './tag-pattern.ts';

/** What a text is that stands where an image may. */
export type ImageText =
  | { readonly kind: 'image'; readonly reference: string }
  /** It was to be filled in by a tool that has not run. */
  | { readonly kind: 'template' }
  /** A digest or the ID of an image, which says not where it is from. */
  | { readonly kind: 'id' }
  | { readonly kind: 'url' }
  /** Nothing is there: `<none>` of docker. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'other' };

/** Kubernetes writes one of these before what its nodes run; skopeo's users write the other. */
const transport = /^docker(?:-pullable)?:\/\//;

/** Tells what a text is. */
export function readImageText(text: string): ImageText {
  const reference = text.trim().replace(transport, '');
  if (/\{\{|\$[{(]/.test(reference)) return { kind: 'template' };
  if (reference === '' || reference.includes('<none>')) return { kind: 'nothing' };
  if (/^(?:sha256:)?[0-9a-f]{12,64}$|^sha512:/.test(reference)) return { kind: 'id' };
  if (reference.includes('://')) return { kind: 'url' };
  return isImage(reference) ? { kind: 'image', reference } : { kind: 'other' };
}

/** What is to be said of a text that is no image. */
export function explainImageText(text: string, kind: Exclude<ImageText['kind'], 'image'>): string {
  const shown = `"${text.trim().slice(0, 200)}"`;
  switch (kind) {
    case 'template':
      return `${shown} has yet to be filled in: give what "helm template" or "docker compose config" prints`;
    case 'id':
      return `${shown} is the ID of an image: its name is needed`;
    case 'url':
      return `${shown} is a URL: images are written without https://`;
    default:
      return /[A-Z]/.test(text.split(':', 1)[0] ?? '')
        ? `${shown} is no image: names of images have no capital letters`
        : `${shown} is no image`;
  }
}

/** Whether somebody has said which tag or digest is meant. */
export function hasVersion(text: string): boolean {
  return text.includes('@') || text.includes(':', text.lastIndexOf('/') + 1);
}

function isImage(text: string): boolean {
  try {
    return canNameRepository(parseImageReference(text).name);
  } catch {
    return parseTagPattern(text) !== undefined;
  }
}
