import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * How many answers each connection still owes. Only counts are kept: a response that is held until
 * its connection's next request is old garbage by then.
 */
export class OpenAnswers {
  readonly #counts = new WeakMap<Duplex, { answers: number }>();

  add(connection: Duplex, response: ServerResponse): void {
    let count = this.#counts.get(connection);
    if (count === undefined) {
      count = { answers: 0 };
      this.#counts.set(connection, count);
    }
    const owed = count;
    owed.answers++;
    response.once('close', () => {
      owed.answers--;
    });
  }

  has(connection: Duplex): boolean {
    return (this.#counts.get(connection)?.answers ?? 0) > 0;
  }
}
