import type { Upstream } from '../upstream/upstream.ts';

/** Milliseconds for an upstream that was slow the last time: enough for one that is well again. */
const shortPatience = 100;

/**
 * How long a client waits for a tag's check before it is served what is cached; the check then goes
 * on behind. Only the first one waits in full for an upstream that hangs.
 */
export class CheckPatience {
  readonly #slow = new WeakSet<Upstream>();

  /**
   * The result of a check, or undefined where it takes too long.
   * @param budget milliseconds
   */
  async wait<T>(upstream: Upstream, check: Promise<T>, budget: number): Promise<T | undefined> {
    const patience = this.#slow.has(upstream) ? Math.min(budget, shortPatience) : budget;
    const result = await within(check, patience);
    if (result === undefined) this.#slow.add(upstream);
    return result;
  }

  /** A check was answered; how is for others to say. */
  answered(upstream: Upstream): void {
    this.#slow.delete(upstream);
  }
}

/** The result, or undefined where it takes longer than `budget` milliseconds. */
async function within<T>(work: Promise<T>, budget: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, budget, undefined);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
