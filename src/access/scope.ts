import { RegistryError } from '../oci/errors.ts';

/**
 * One thing that a token lets its bearer do, as it stands in the `access` claim (distribution's
 * token specification, "Token Authentication Implementation").
 */
export interface ScopeEntry {
  /** `repository` or `registry`; others are carried and grant nothing here. */
  readonly type: string;
  /** Of a repository: as the client writes it in its paths, which is not its canonical key. */
  readonly name: string;
  /** `pull`, `push`, `delete`, or `*` for all. */
  readonly actions: readonly string[];
}

/** What a token is good for. Empty: for nothing but proving who its bearer is. */
export type Scope = readonly ScopeEntry[];

/** More than any client asks for at once. */
const maxEntries = 100;

/** More than there are. Each is looked at several times, before anybody has to prove anything. */
const maxActions = 20;

/** `repository:localhost:5000/app:pull,push`: a name may hold colons, a type and an action do not. */
const shape = /^([a-z0-9]+(?:\([a-z0-9]+\))?):([^\s:"\\][^\s"\\]*):([a-z*]+(?:,[a-z*]+)*)$/;

/**
 * Reads scopes as clients ask for them: several of them, or several in one text, with spaces
 * between (Docker and podman do the one, OAuth2 forms the other).
 * @throws RegistryError REQUEST_INVALID
 */
export function parseScope(texts: readonly string[]): Scope {
  const parts = texts.flatMap((text) => text.split(' ')).filter((part) => part !== '');
  if (parts.length > maxEntries) throw new RegistryError('REQUEST_INVALID', 'too many scopes');
  return parts.map((part) => {
    const [, type, name, actions] = shape.exec(part) ?? [];
    if (type === undefined || name === undefined || actions === undefined) {
      throw new RegistryError('REQUEST_INVALID', 'a scope is no type:name:action', {
        detail: { scope: part.slice(0, 300) },
      });
    }
    const named = [...new Set(actions.split(','))];
    if (named.length > maxActions) {
      throw new RegistryError('REQUEST_INVALID', 'a scope has too many actions');
    }
    return { type, name, actions: named };
  });
}

/** Writes a scope as {@link parseScope} reads it. */
export function formatScope(scope: Scope): string {
  return scope.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' ');
}

/** Whether a scope has an entry that allows for this. */
export function scopeAllows(scope: Scope, type: string, name: string, action: string): boolean {
  return scope.some(
    (entry) =>
      entry.type === type &&
      entry.name === name &&
      (entry.actions.includes(action) || entry.actions.includes('*')),
  );
}

/**
 * Reads the `access` claim of a token that was verified.
 * @returns undefined where it is no such claim
 */
export function readAccessClaim(claim: unknown): Scope | undefined {
  if (!Array.isArray(claim) || claim.length > maxEntries) return undefined;
  const entries = claim.map(readEntry);
  return entries.every((entry) => entry !== undefined) ? entries : undefined;
}

function readEntry(entry: unknown): ScopeEntry | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { type, name, actions } = entry as Record<string, unknown>;
  if (typeof type !== 'string' || typeof name !== 'string' || !isTexts(actions)) return undefined;
  return { type, name, actions };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
