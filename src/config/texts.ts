/** A value of the file as a list; an empty one where it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** The texts of a list, with their places in it. */
export function texts(value: unknown): (readonly [number, string])[] {
  return [...listOf(value).entries()].filter(
    (entry): entry is [number, string] => typeof entry[1] === 'string',
  );
}
