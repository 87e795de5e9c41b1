/** Whether something is a map of annotations (image specification, "Annotations"): text to text. */
export function isAnnotations(value: unknown): value is Readonly<Record<string, string>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === 'string')
  );
}
