import type { Pace } from '../store/blob-reader.ts';

/*
 * How well a client keeps up decides what it may hold. It is `new` until it has taken some
 * megabytes without a pause, then `swift`; and `slow` from the moment that it lets a write wait
 * until it has made up for it.
 */

/** Milliseconds for one write that make a client a slow one: with a large buffer, 0.5 MB/s. */
const slowWrite = 1_000;

/**
 * Bytes that a client has to take without a pause before it counts as swift: more than the kernel
 * takes at once into an empty socket buffer, which would look like speed.
 */
const probation = 4 * 1024 * 1024;

/** The grade of one connection's client. */
export class ClientPace {
  #left = probation;
  #pace: Pace = 'new';

  get grade(): Pace {
    return this.#pace;
  }

  /** Notes that the kernel took so many bytes within so many milliseconds. */
  wrote(bytes: number, milliseconds: number): void {
    if (milliseconds > slowWrite) {
      this.#pace = 'slow';
      this.#left = probation;
    } else if (this.#left > 0) {
      this.#left = Math.max(0, this.#left - bytes);
      if (this.#left === 0) this.#pace = 'swift';
    }
  }
}

const known = new WeakMap<object, ClientPace>();

/** What is known of a connection's client, from its earlier requests too. */
export function paceOf(connection: object): ClientPace {
  let pace = known.get(connection);
  if (pace === undefined) {
    pace = new ClientPace();
    known.set(connection, pace);
  }
  return pace;
}
