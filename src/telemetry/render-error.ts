import { redactText, redactValue } from './redact.ts';

/** An error as it is logged. */
export interface RenderedError {
  readonly code?: string;
  readonly message: string;
  /** What led to it, the nearest first: `ECONNREFUSED: connect ECONNREFUSED 10.0.0.1:443`. */
  readonly causes?: readonly string[];
  readonly detail?: unknown;
  readonly stack?: string;
}

const longestChain = 8;

/**
 * Renders anything that was thrown. The stack is there where nobody foresaw the error (it has no
 * code, or UNKNOWN), or where the caller wants it.
 */
export function renderError(error: unknown, { stack }: { stack: boolean }): RenderedError {
  if (!(error instanceof Error)) return { message: redactText(describe(error)) };
  const chain = causesOf(error);
  const code = codeOf(error);
  const deepest = chain.at(-1) ?? error;
  const unforeseen = code === undefined || code === 'UNKNOWN';
  const causes = chain.map((cause) => redactText(summary(cause)));
  const detail = (error as { detail?: unknown }).detail;
  return {
    ...(code === undefined ? {} : { code }),
    message: redactText(error.message),
    ...(causes.length === 0 ? {} : { causes }),
    ...(detail === undefined ? {} : { detail: redactValue(detail) }),
    ...(stack || unforeseen
      ? { stack: redactText(stackOf(code === 'UNKNOWN' ? deepest : error)) }
      : {}),
  };
}

/** Every cause below an error, also of those that hold several (a host with many addresses). */
function causesOf(error: Error): unknown[] {
  const seen = new Set<unknown>([error]);
  const chain: unknown[] = [];
  let level: unknown[] = [error];
  while (level.length > 0 && chain.length < longestChain) {
    level = level.flatMap(below).filter((cause) => !seen.has(cause));
    for (const cause of level) seen.add(cause);
    chain.push(...level);
  }
  return chain.slice(0, longestChain);
}

function below(error: unknown): unknown[] {
  if (!(error instanceof Error)) return [];
  const several = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return error.cause === undefined ? several : [error.cause, ...several];
}

function summary(error: unknown): string {
  if (!(error instanceof Error)) return describe(error);
  const code = codeOf(error);
  return code === undefined ? `${error.name}: ${error.message}` : `${code}: ${error.message}`;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : describe(error);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null) return JSON.stringify(redactValue(value));
  return String(value);
}
