/** Milliseconds by unit, the largest first: the order in which they may follow each other. */
const units = [
  ['w', 604_800_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

const shape =
  /^(?:(\d{1,9}(?:\.\d{1,6})?)w)?(?:(\d{1,9}(?:\.\d{1,6})?)d)?(?:(\d{1,9}(?:\.\d{1,6})?)h)?(?:(\d{1,9}(?:\.\d{1,6})?)m)?(?:(\d{1,12}(?:\.\d{1,6})?)s)?(?:(\d{1,15})ms)?$/;

/**
 * Parses a duration: `1h30m`, `250ms`, `2s`, `1.5h`, `7d`, `0`. A number other than 0 needs its
 * unit, and units come from large to small.
 * @returns whole milliseconds, rounded, or undefined where the text is no duration.
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  const match = shape.exec(trimmed);
  if (match === null || trimmed === '') return undefined;
  let total = 0;
  for (const [index, [, factor]] of units.entries()) {
    total += Number(match[index + 1] ?? 0) * factor;
  }
  const milliseconds = Math.round(total);
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** Writes whole milliseconds so that {@link parseDuration} gives them back exactly: `1h30m`, `7d`, `0`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0';
  let rest = milliseconds;
  let text = '';
  for (const [unit, factor] of units) {
    if (unit === 'w') continue;
    const count = Math.floor(rest / factor);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * factor;
  }
  return text;
}
