import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/warm/schedule.ts';

/** A clock that goes when the test says so. What waits on it has to wait for nothing else but promises. */
export class TestClock implements Clock {
  #now: number;
  readonly #waiting = new Set<{ readonly at: number; readonly wake: () => void }>();

  constructor(now: string) {
    this.#now = Date.parse(now);
  }

  now(): number {
    return this.#now;
  }

  wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { at: this.#now + milliseconds, wake: resolve };
    this.#waiting.add(waiter);
    signal.addEventListener('abort', () => resolve(), { once: true });
    return promise.finally(() => this.#waiting.delete(waiter));
  }

  /** Lets time pass, and all that is to happen in it happen. */
  async to(time: string | number): Promise<void> {
    const end = typeof time === 'number' ? this.#now + time : Date.parse(time);
    await turn();
    for (;;) {
      const [next] = [...this.#waiting].toSorted((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await turn();
    }
    this.#now = end;
    await turn();
  }

  /** Sets it, forwards or back, and nobody hears of it. */
  set(time: string): void {
    this.#now = Date.parse(time);
  }
}
