/** The middle of several rounds, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Undefined where there is nothing to summarise. An even count gives the mean of the middle two. */
export function spread(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.floor(sorted.length / 2)];
  if (low === undefined || high === undefined) return undefined;
  return { median: (low + high) / 2, min: sorted[0] ?? low, max: sorted.at(-1) ?? high };
}

/** The nearest-rank percentile, `fraction` in 0–1; NaN of nothing. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(fraction * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** Rounds in order; undefined where a round failed. */
export type Series = readonly (number | undefined)[];

/** The rounds that gave a value. */
export const present = (series: Series): number[] => series.filter((value) => value !== undefined);

/** Quotients round by round, so that noise that both sides of a round shared cancels out. */
export function pairwise(ours: Series, theirs: Series): Series {
  return ours.map((value, round) => {
    const other = theirs[round];
    return value === undefined || other === undefined || other === 0 ? undefined : value / other;
  });
}

/** The highest of several series, round by round. */
export function highest(all: readonly Series[]): Series {
  const rounds = Math.max(0, ...all.map((series) => series.length));
  return Array.from({ length: rounds }, (_, round) => {
    const values = all.flatMap((series) => series[round] ?? []);
    return values.length === 0 ? undefined : Math.max(...values);
  });
}
