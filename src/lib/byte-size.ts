/** Factors by unit, in lower case: binary with an `i`, decimal without, as IEC 80000-13 has them. */
const factors: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['pb', 1e15],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
  ['pib', 2 ** 50],
]);

const shape = /^(\d{1,16}(?:\.\d{1,6})?) ?([a-z]{0,3})$/;

/**
 * Parses a size: `50GiB`, `1.5 MB`, `512KiB`, `4096`, `0`. Units are case-insensitive; a bare
 * letter (`10G`) is refused, since people disagree on what it means.
 * @returns whole bytes, rounded, or undefined where the text is no size or too large to count.
 */
export function parseByteSize(text: string): number | undefined {
  const match = shape.exec(text.trim().toLowerCase());
  const factor = factors.get(match?.[2] ?? '?');
  if (match === null || factor === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const binaryUnits = ['PiB', 'TiB', 'GiB', 'MiB', 'KiB'] as const;

/** Writes whole bytes so that {@link parseByteSize} gives them back exactly: `32MiB`, `1000`. */
export function formatByteSize(bytes: number): string {
  for (const unit of binaryUnits) {
    const factor = factors.get(unit.toLowerCase()) ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

/** Writes bytes for people, to three figures: `1.46 GiB`, `12 B`. */
export function describeByteSize(bytes: number): string {
  for (const unit of binaryUnits) {
    const factor = factors.get(unit.toLowerCase()) ?? 1;
    if (bytes >= factor) return `${Number((bytes / factor).toPrecision(3))} ${unit}`;
  }
  return `${bytes} B`;
}
