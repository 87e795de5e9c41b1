/**
 * States of the world that explain an answer which would otherwise be a fault of Baleen's.
 *
 *   down    no process listens, or it is about to end
 *   denied  an upstream, its CDN or its token server answers 401 or 403
 *   disk    the disk is full
 */
export type Condition = 'down' | 'denied' | 'disk';

interface Span {
  readonly condition: Condition;
  readonly from: number;
  until: number;
}

/** When which condition held. */
export class Conditions {
  #spans: Span[] = [];
  readonly #now: () => number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** It holds from now on; call what comes back when it holds no more. */
  begin(condition: Condition): () => void {
    const span: Span = { condition, from: this.#now(), until: Infinity };
    this.#spans.push(span);
    return () => {
      span.until = this.#now();
    };
  }

  /** Whether it held at any moment since, or until `grace` milliseconds before. */
  heldSince(condition: Condition, since: number, grace = 0): boolean {
    return this.#spans.some((span) => span.condition === condition && span.until + grace >= since);
  }

  /** Forgets what ended before a moment. */
  forget(before: number): void {
    this.#spans = this.#spans.filter(({ until }) => until >= before);
  }
}
