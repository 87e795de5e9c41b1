/** How far one round through all blobs has come; kept in a small file, so that a restart goes on. */
export interface ScrubPass {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** The name of the last blob that was read of those that come first; '' before that. */
  readonly first: string;
  /** The name of the last blob that was read of all others; '' before the first of them. */
  readonly after: string;
  /** The weight of what was read. */
  readonly done: number;
}

/** What opening a file costs, in bytes read; so that a million manifests count for something, too. */
const fileWeight = 16 * 1024;

export function newPass(now: number): ScrubPass {
  return { startedAt: now, first: '', after: '', done: 0 };
}

/** What files cost to read. */
export function weightOf(bytes: number, files: number): number {
  return bytes + files * fileWeight;
}

/**
 * How long to wait before the next blob is read, so that a round takes about its interval, in
 * milliseconds; 0 where it is due. Time in which Baleen did not run is made up for.
 * @param total the weight of all that is stored
 */
export function dueIn(pass: ScrubPass, total: number, interval: number, now: number): number {
  if (pass.done === 0) return 0;
  const part = total <= 0 ? 1 : Math.min(1, pass.done / total);
  return Math.max(0, pass.startedAt + part * interval - now);
}

/** Reads what was written; undefined where it is not a pass, or from the future. */
export function parsePass(text: string, now: number): ScrubPass | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { startedAt, first = '', after, done } = (value ?? {}) as Record<string, unknown>;
  if (typeof startedAt !== 'number' || !(startedAt >= 0 && startedAt <= now)) return undefined;
  if (typeof first !== 'string' || typeof after !== 'string') return undefined;
  return typeof done === 'number' && done >= 0 ? { startedAt, first, after, done } : undefined;
}
