/** ` (did you mean a or b?)` for the known words closest to a mistyped one; '' where none is close. */
export function didYouMean(word: string, known: readonly string[]): string {
  const limit = Math.max(2, Math.floor(word.length / 4));
  const distances = known.map((candidate) => editDistance(word, candidate, limit));
  const least = Math.min(limit, ...distances);
  const near = known.filter((_candidate, index) => distances[index] === least).slice(0, 3);
  return near.length === 0 ? '' : ` (did you mean ${near.join(' or ')}?)`;
}

/** Levenshtein's distance; anything above `limit` comes back as some number above it. */
function editDistance(one: string, other: string, limit: number): number {
  if (Math.abs(one.length - other.length) > limit) return limit + 1;
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const substitution = one[row - 1] === other[column - 1] ? 0 : 1;
      current.push(
        Math.min(
          (current[column - 1] ?? 0) + 1,
          (previous[column] ?? 0) + 1,
          (previous[column - 1] ?? 0) + substitution,
        ),
      );
    }
    previous = current;
  }
  return previous[other.length] ?? 0;
}
