import type { ImageFindings } from './image-findings.ts';
import { findInDocument, type DocumentReader } from './images-in-document.ts';

/**
 * Finds the images in JSON: one document, several one after the other, or one a line.
 * @returns whether it was JSON
 */
export function findInJson(text: string, findings: ImageFindings): boolean {
  const documents = parseAll(text);
  if (documents === undefined) return false;
  for (const document of documents) findInDocument(document, reader, findings);
  return true;
}

/** Where a document may begin: within one, tools indent, or write no line breaks at all. */
const starts = /^(?=[{[])/m;

function parseAll(text: string): unknown[] | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  const whole = parse(text);
  if (whole !== undefined) return [whole];
  const documents = text.split(starts).filter((part) => part.trim() !== '');
  const parsed: unknown[] = [];
  for (const document of documents) {
    const value = parse(document);
    if (value === undefined) return undefined;
    parsed.push(value);
  }
  return parsed;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const reader: DocumentReader<unknown> = {
  entries: (node) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.entries(node)
      : undefined,
  items: (node) => (Array.isArray(node) ? (node as unknown[]) : undefined),
  text: (node) => (typeof node === 'string' ? node : undefined),
  label: (node) =>
    typeof node === 'string' || typeof node === 'number' ? String(node) : undefined,
  line: () => undefined,
};
