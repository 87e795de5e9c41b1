/** How well a name answers to a term; the less the better. */
function rankOf(name: string, term: string): number | undefined {
  const at = name.indexOf(term);
  if (at < 0) return undefined;
  const last = name.slice(name.lastIndexOf('/') + 1);
  if (name === term || last === term) return 0;
  if (at === 0 || last.startsWith(term)) return 1;
  return 2;
}

/**
 * Finds repositories whose name holds the term: those that are called so first, whatever stands in
 * front, then those that begin so, then all others; each in the order of the names. An empty term
 * finds all.
 */
export function searchRepositories(names: readonly string[], term: string): string[] {
  const wanted = term.trim().toLowerCase();
  return names
    .flatMap((name) => {
      const rank = wanted === '' ? 0 : rankOf(name, wanted);
      return rank === undefined ? [] : [{ name, rank }];
    })
    .toSorted((one, other) => one.rank - other.rank)
    .map(({ name }) => name);
}
