import type { ServerName } from './options.ts';

/** Whom a figure is about: a server, or the upstream asked directly. */
export type Subject = ServerName | 'direct';

/** Everything measured: series by metric and subject, one value a round. */
export class Figures {
  readonly #series = new Map<string, (number | undefined)[]>();
  readonly #failures: string[] = [];

  add(metric: string, subject: Subject, round: number, value: number): void {
    const key = keyOf(metric, subject);
    let series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, (series = []));
    while (series.length < round) series.push(undefined);
    series[round] = value;
  }

  /** One value a round; undefined where the round failed. */
  series(metric: string, subject: Subject): readonly (number | undefined)[] {
    return this.#series.get(keyOf(metric, subject)) ?? [];
  }

  /** Notes what went wrong, so that a missing figure is never silent. */
  fail(subject: Subject, what: string): void {
    this.#failures.push(`${subject}: ${what}`);
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  toJSON(): object {
    return { series: Object.fromEntries(this.#series), failures: this.#failures };
  }
}

const keyOf = (metric: string, subject: Subject): string => `${metric} | ${subject}`;
