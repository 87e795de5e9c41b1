import type { FloorConfig } from './config.ts';

/** Reads `10%` or `20`; undefined where the text is neither, or more than all. */
export function parseFloor(text: string): FloorConfig | undefined {
  const [, number, percent] = /^\s*(\d{1,9}(?:\.\d{1,4})?)\s*(%?)\s*$/.exec(text) ?? [];
  const value = Number(number);
  if (percent === '%') return value <= 100 ? { share: value / 100 } : undefined;
  return Number.isInteger(value) ? { count: value } : undefined;
}

/** The same as the file writes it. */
export function formatFloor(floor: FloorConfig): string | number {
  return 'count' in floor ? floor.count : `${Number((floor.share * 100).toFixed(4))}%`;
}
