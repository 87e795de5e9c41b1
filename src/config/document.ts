import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';
import type { ConfigPath, Fault } from './config-error.ts';
import type { Environment } from './environment.ts';
import { expandVariables } from './expand.ts';

/** A YAML file: its content as plain values, and the way back from a value to its line. */
export interface ConfigDocument {
  readonly content: unknown;
  /** Syntax errors, duplicate keys, variables that are not set. */
  readonly faults: readonly Fault[];
  /** `config.yaml:12:5` of the value's key, or of the nearest thing above it that is there. */
  where(path: ConfigPath): string;
}

/** How often one anchor may be used before it looks like an attempt to fill the memory. */
const maxAliasCount = 100;

/**
 * Parses a file and expands the variables in its values.
 * @param name what to call the file in faults
 */
export function parseConfigDocument(text: string, name: string, env: Environment): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false, // they quote the line, and the line may hold a password
  });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const faults: Fault[] = [...document.errors, ...document.warnings].map((error) => ({
    path: [],
    message: syntaxMessage(error),
    where: at(error.pos[0]),
  }));
  const where = (path: ConfigPath): string => at(offsetOf(document, path));
  if (faults.length > 0) return { content: undefined, faults, where };
  for (const fault of expandScalars(document, env))
    faults.push({ ...fault, where: where(fault.path) });
  try {
    return { content: document.toJS({ maxAliasCount }) as unknown, faults, where };
  } catch {
    const message = 'its anchors and aliases cannot be resolved';
    return { content: undefined, faults: [...faults, { path: [], message, where: name }], where };
  }
}

/** A value that cannot be expanded stays as it is, and its fault bears its path. */
function expandScalars(document: Document, env: Environment): Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      const result = expandVariables(node.value, env);
      if ('text' in result) node.value = result.text;
      else faults.push({ path: pathTo([...ancestors, node]), message: result.fault });
    },
  });
  return faults;
}

function pathTo(ancestors: readonly unknown[]): ConfigPath {
  const path: (string | number)[] = [];
  for (const [index, node] of ancestors.entries()) {
    if (isPair(node)) path.push(isScalar(node.key) ? String(node.key.value) : '?');
    else if (isSeq(node)) path.push(node.items.indexOf(ancestors[index + 1]));
  }
  return path;
}

/** For the codes whose messages quote the file, and for those that can be said better. */
const syntaxMessages: ReadonlyMap<string, string> = new Map([
  ['DUPLICATE_KEY', 'this key is there twice'],
  ['MULTIPLE_DOCS', 'only one YAML document is read'],
  ['TAG_RESOLVE_FAILED', 'this tag is not known here'],
  ['BAD_COLLECTION_TYPE', 'this tag does not fit its value'],
  ['BAD_DIRECTIVE', 'not YAML: unknown directive'],
  ['BAD_DQ_ESCAPE', 'not YAML: invalid escape sequence in double quotes'],
]);

/** What the parser says, without the parts in which it quotes the file: those follow a colon. */
function syntaxMessage({ code, message }: YAMLError): string {
  return syntaxMessages.get(code) ?? `not YAML: ${message.replace(/: [^]*$/, '')}`;
}

function offsetOf(document: Document, path: ConfigPath): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    const target: unknown = isAlias(node) ? node.resolve(document) : node;
    if (isMap(target)) {
      const pair = target.items.find(
        ({ key }) => isScalar(key) && String(key.value) === String(step),
      );
      if (pair === undefined) return offset;
      offset = start(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(target) && typeof step === 'number') {
      node = target.items[step];
      offset = start(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

function start(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
