import { z } from 'zod';
import type { ConfigPath } from './config-error.ts';
import type { Kind } from './scalars.ts';
import { configSchema } from './schema.ts';

/**
 * The schema as a plain tree, for everyone who walks the configuration without validating it:
 * names of environment variables, checks of files, printing. It is zod's own JSON schema.
 */
export interface SchemaNode {
  readonly kind?: Kind;
  readonly type?: string | readonly string[];
  readonly items?: SchemaNode;
  /** Keys with fixed names. */
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  /** As the file would write it. */
  readonly default?: unknown;
  /** Values under names that the user chooses. */
  readonly additionalProperties?: SchemaNode | boolean;
}

/** The root of the tree. */
export const schemaTree = z.toJSONSchema(configSchema, {
  io: 'input',
  unrepresentable: 'any',
}) as SchemaNode;

/** The children of a node: for the keys given where the user chooses them, else for the schema's own. */
export function childrenOf(node: SchemaNode, keys: readonly string[]): [string, SchemaNode][] {
  if (node.properties !== undefined) return Object.entries(node.properties);
  const child = node.additionalProperties;
  return typeof child === 'object' ? keys.map((key) => [key, child]) : [];
}

/** Whether a value is a mapping that the schema goes into. */
export function isBranch(node: SchemaNode): boolean {
  return node.properties !== undefined || typeof node.additionalProperties === 'object';
}

/** The node of a list's elements, where a list may stand in the place of a mapping. */
function elementsOf(node: SchemaNode, value: unknown): SchemaNode | undefined {
  return node.properties !== undefined && Array.isArray(value) ? node.items : undefined;
}

/** The node at a path, or undefined where the schema has none. */
export function nodeAt(path: ConfigPath): SchemaNode | undefined {
  let node: SchemaNode | undefined = schemaTree;
  for (const key of path) {
    if (node === undefined) return undefined;
    if (typeof key === 'number') {
      node = node.items;
      continue;
    }
    const name: string = key;
    node = childrenOf(node, [name]).find(([child]) => child === name)?.[1];
  }
  return node;
}

/** Calls back for every leaf, with the value the tree holds there, also where that is undefined. */
export function forEachLeaf(
  values: unknown,
  visit: (path: ConfigPath, value: unknown, node: SchemaNode) => void,
  node: SchemaNode = schemaTree,
  path: ConfigPath = [],
): void {
  const element = elementsOf(node, values);
  if (element !== undefined) {
    for (const [index, value] of (values as unknown[]).entries()) {
      forEachLeaf(value, visit, element, [...path, index]);
    }
    return;
  }
  if (!isBranch(node)) {
    visit(path, values, node);
    return;
  }
  const mapping = asMapping(values);
  for (const [key, child] of childrenOf(node, Object.keys(mapping))) {
    const value = Object.hasOwn(mapping, key) ? mapping[key] : undefined;
    forEachLeaf(value, visit, child, [...path, key]);
  }
}

/** The value as a mapping; an empty one where it is none. */
export function asMapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
