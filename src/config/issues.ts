import type { z } from 'zod';
import type { ConfigPath, Fault } from './config-error.ts';
import { didYouMean } from './near-match.ts';
import { nodeAt } from './schema-tree.ts';

/** What zod found, in this house's words. */
export function faultsOf(error: z.ZodError): Fault[] {
  return error.issues.flatMap((issue): Fault[] => {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(path, key) }));
    }
    if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => ({ path, message }));
    const message =
      issue.code === 'invalid_type' ? invalidType(issue.expected, issue.message) : issue.message;
    return [{ path, message }];
  });
}

function unknownKey(parent: ConfigPath, key: string): string {
  return `unknown key${didYouMean(key, Object.keys(nodeAt(parent)?.properties ?? {}))}`;
}

function invalidType(expected: string, message: string): string {
  if (expected === 'object' || expected === 'record') return 'expected a mapping of keys to values';
  return expected === 'array' ? 'expected a list' : message;
}
