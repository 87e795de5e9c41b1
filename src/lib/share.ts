const shape = /^(\d{1,3}(?:\.\d{1,6})?) ?%$|^([01](?:\.\d{1,8})?)$/;

/**
 * Parses a share: `90%`, `12.5 %`, or the number itself, `0.9`.
 * @returns a number from 0 to 1, or undefined where the text is no share.
 */
export function parseShare(text: string): number | undefined {
  const [, percent, number] = shape.exec(text.trim()) ?? [];
  const share = percent === undefined ? Number(number ?? NaN) : Number(percent) / 100;
  return share >= 0 && share <= 1 ? share : undefined;
}

/** Writes a share so that {@link parseShare} gives it back: `90%`. */
export function formatShare(share: number): string {
  return `${Number((share * 100).toFixed(6))}%`;
}
