import type { ScriptedUpstream } from '../support/scripted-upstream.ts';

/** Milliseconds after the end of a transfer in which its blob may not be committed yet. */
const commitGrace = 5_000;

/** A GET of a blob that an upstream has seen. */
interface Fetch {
  readonly digest: string;
  readonly at: number;
  readonly isRunning: () => boolean;
}

/**
 * Who asked the upstreams for which blob, and what explains it.
 *
 * A blob is fetched once for all who want it. Every further GET of it needs a reason, and each
 * reason explains one: a fault befell a transfer of it; the blob was removed from the store after
 * it was committed, or found no room there; Baleen ended, an upstream went away, or the disk was full, while it was
 * on its way. Without any of them the bound is one. While the disk is full bytes pass through
 * uncached, each client with a transfer of its own: what is asked for then is not counted.
 */
export class FetchLedger {
  readonly #upstreams: readonly ScriptedUpstream[];
  readonly #gets = new Map<string, number>();
  readonly #faults = new Map<string, number>();
  readonly #interruptions = new Map<string, number>();
  #recent: Fetch[] = [];
  #uncounted = 0;
  #isPaused = false;

  constructor(upstreams: readonly ScriptedUpstream[]) {
    this.#upstreams = upstreams;
  }

  /** A fault befalls a transfer of a blob. */
  befell(digest: string): void {
    increment(this.#faults, digest);
  }

  /** From now on nothing counts, until what comes back is called. What is on its way at both moments is interrupted. */
  pause(): () => void {
    this.interrupted();
    this.#isPaused = true;
    return () => {
      this.interrupted();
      this.#isPaused = false;
    };
  }

  /** Something happens that breaks whatever is on its way. */
  interrupted(): void {
    this.take();
    for (const digest of new Set(this.#recent.map((fetch) => fetch.digest))) {
      increment(this.#interruptions, digest);
    }
  }

  /** GETs so far that count. */
  get total(): number {
    return [...this.#gets.values()].reduce((sum, count) => sum + count, 0);
  }

  /** GETs so far that came while the disk was full. */
  get uncounted(): number {
    return this.#uncounted;
  }

  /** Takes over what the upstreams have seen since the last time; their own records are emptied. */
  take(): void {
    const now = performance.now();
    for (const upstream of this.#upstreams) {
      for (const seen of upstream.requests('blob-get')) {
        const digest = seen.path.slice(seen.path.lastIndexOf('/') + 1);
        if (this.#isPaused) this.#uncounted += 1;
        else increment(this.#gets, digest);
        this.#recent.push({ digest, at: now, isRunning: () => seen.status === undefined });
      }
      upstream.forget();
    }
    this.#recent = this.#recent.filter(
      ({ at, isRunning }) => isRunning() || now - at < commitGrace,
    );
  }

  /**
   * What was fetched more often than is explained.
   * @param removals how often a blob was removed from the store
   */
  unexplained(removals: (digest: string) => number): string[] {
    return [...this.#gets].flatMap(([digest, gets]) => {
      const reasons = [
        [this.#faults.get(digest) ?? 0, 'faults'],
        [removals(digest), 'removals'],
        [this.#interruptions.get(digest) ?? 0, 'interruptions'],
      ] as const;
      const bound = reasons.reduce((sum, [count]) => sum + count, 1);
      if (gets <= bound) return [];
      const told = reasons.map(([count, reason]) => `${String(count)} ${reason}`).join(', ');
      return [`${digest} was fetched ${String(gets)} times: ${told}`];
    });
  }
}

function increment(counts: Map<string, number>, digest: string): void {
  counts.set(digest, (counts.get(digest) ?? 0) + 1);
}
