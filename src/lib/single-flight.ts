/**
 * Lets concurrent callers of the same work share one run of it. Nothing is kept once a run has
 * settled, so a failure is never handed to a later caller.
 */
export class SingleFlight<V> {
  readonly #running = new Map<string, Promise<V>>();

  /** Joins the run under this key, or starts one. All who joined see the same value or failure. */
  run(key: string, work: () => Promise<V>): Promise<V> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    // Forgotten before any caller's continuation runs: who saw it end can start anew.
    const started = (async () => work())().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }

  /** Whether a run under this key is under way. */
  has(key: string): boolean {
    return this.#running.has(key);
  }
}
