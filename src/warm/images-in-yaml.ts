import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
  type ParsedNode,
} from 'yaml';
import { describeByteSize } from '../lib/byte-size.ts';
import type { ImageFindings } from './image-findings.ts';
import { findInDocument, type DocumentReader } from './images-in-document.ts';

/**
 * Characters of one document: a second of work and a hundred times as much memory for each million.
 * Lists of a whole cluster are larger, and come as JSON, which costs next to nothing.
 */
export const maxYamlDocument = 2 * 1024 * 1024;

/** Brackets that may be open at once. Each costs the parser a hundred times what it costs its author. */
const maxDepth = 1_000;

type Node = ParsedNode | null;

/**
 * Finds the images in a stream of YAML documents. What an alias stands for is looked at where it is
 * written, and never again: so documents that unfold without end are as small as they look. Others get
 * their turn between two documents.
 */
export async function findInYaml(text: string, findings: ImageFindings): Promise<void> {
  for (const { part, line } of documentsOf(text)) {
    // Most of what Helm renders names no image. A list of images need not have the word in it.
    if (!/image|^(?:- |\[)/im.test(part)) continue;
    if (part.length > maxYamlDocument) {
      const limit = describeByteSize(maxYamlDocument);
      const message = `the document that begins here is larger than ${limit}: give it as JSON (kubectl get … -o json)`;
      findings.fault(line, message);
      continue;
    }
    await nextTurn();
    try {
      if (isTooDeep(part)) throw new RangeError('brackets in each other');
      findInPart(part, line, findings);
    } catch (error) {
      // The parser calls itself for each level, until there is no more stack.
      if (!(error instanceof RangeError)) throw error;
      findings.fault(line, 'the document that begins here has too many levels');
    }
  }
}

/** Brackets in texts count as well: they come in pairs, or are few. */
function isTooDeep(part: string): boolean {
  let depth = 0;
  for (const [bracket] of part.matchAll(/[[\]{}]/g)) {
    depth = Math.max(0, depth + (bracket === '[' || bracket === '{' ? 1 : -1));
    if (depth > maxDepth) return true;
  }
  return false;
}

/** The documents of a stream. In YAML nothing else begins a line with `---`. */
function* documentsOf(text: string): Generator<{ part: string; line: number }> {
  let line = 1;
  for (const part of text.split(/^(?=---(?:\s|$))/m)) {
    yield { part, line };
    line += part.split('\n').length - 1;
  }
}

/** @param line of its first line in the whole */
function findInPart(part: string, line: number, findings: ImageFindings): void {
  const counter = new LineCounter();
  const lineAt = (offset: number): number => line - 1 + Math.max(counter.linePos(offset).line, 1);
  const documents = parseAllDocuments(part, {
    lineCounter: counter,
    prettyErrors: false,
    // Some tools write a key twice; clusters take that, too.
    uniqueKeys: false,
  });
  if (!Array.isArray(documents)) return;
  for (const document of documents as Document.Parsed[]) {
    const [error] = document.errors;
    if (error === undefined) {
      findInDocument<Node>(document.contents, readerOf(document, lineAt), findings);
      continue;
    }
    const advice = part.includes('{{') ? '; give what "helm template" prints' : '';
    const message = error.message.split('\n', 1)[0] ?? '';
    findings.fault(lineAt(error.pos[0]), `this is no YAML: ${message.slice(0, 200)}${advice}`);
  }
}

function readerOf(
  document: Document.Parsed,
  lineAt: (offset: number) => number,
): DocumentReader<Node> {
  const anchors = new Map<string, string>();
  visit(document, {
    Scalar(_key, { anchor, value }) {
      if (anchor !== undefined && typeof value === 'string') anchors.set(anchor, value);
    },
  });
  const text = (node: Node): string | undefined => {
    if (isAlias(node)) return anchors.get(node.source);
    return isScalar(node) && typeof node.value === 'string' ? node.value : undefined;
  };
  return {
    entries: (node) =>
      isMap(node)
        ? node.items.map(({ key, value }) => [isScalar(key) ? String(key.value) : '', value])
        : undefined,
    items: (node) => (isSeq(node) ? node.items : undefined),
    text,
    label: (node) => (isScalar(node) && typeof node.value === 'number' ? node.source : text(node)),
    line: (node) => (node === null ? undefined : lineAt(node.range[0])),
  };
}
