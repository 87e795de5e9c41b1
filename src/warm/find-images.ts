import { describeByteSize } from '../lib/byte-size.ts';
import { RegistryError } from '../oci/errors.ts';
import { ImageFindings, type FoundImages } from './image-findings.ts';
import { findInJson } from './images-in-json.ts';
import { findInLines } from './images-in-lines.ts';
import { findInTable } from './images-in-tables.ts';
import { findInYaml } from './images-in-yaml.ts';

/** Characters of a text; `kubectl get pods -A -o json` of some thousand pods. */
export const maxListSize = 64 * 1024 * 1024;

/**
 * Finds the images that a text names. What kind of text it is, it tells by itself: a list, a table as
 * container tools print them, JSON, or YAML such as Kubernetes' manifests, Helm's output and compose files.
 * @throws RegistryError REQUEST_INVALID where it is no text or far too large, or names far too many
 */
export async function findImages(text: string): Promise<FoundImages> {
  if (text.length > maxListSize) {
    const limit = describeByteSize(maxListSize);
    throw new RegistryError('REQUEST_INVALID', `a list of images may have up to ${limit}`);
  }
  // No text has one: this is a tar, or what PowerShell writes where nobody asks for UTF-8.
  if (text.includes('\0')) {
    throw new RegistryError('REQUEST_INVALID', 'it is no text, or none in UTF-8');
  }
  const clean = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const findings = new ImageFindings();
  if (!findInJson(clean, findings) && !findInTable(clean, findings)) {
    if (isYaml(clean)) await findInYaml(clean, findings);
    else findInLines(clean, findings);
  }
  return findings;
}

/**
 * Whether a text has lines that only YAML has: a key with a value behind it or below it, an item of
 * a sequence, the beginning of a document; or `{`, with which no image begins.
 */
function isYaml(text: string): boolean {
  return /^[ \t]*(?:-[ \t]+\S|---(?:\s|$)|["']?[\w-]+["']?[ \t]*:(?:\s|$)|[{[])/m.test(text);
}
