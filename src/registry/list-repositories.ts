import type { Catalog } from '../catalog/catalog.ts';

/**
 * Names the repositories that are cached, as a client would ask for them: those of the default
 * upstream bare, all others with their upstream in front.
 * @param defaultUpstream the configured name, if any
 * @param only the one upstream that the request is limited to (`ns`); its names are all bare
 */
export async function listRepositories(
  catalog: Catalog,
  defaultUpstream: string | undefined,
  only: string | undefined,
): Promise<string[]> {
  const bare = `${only ?? defaultUpstream}/`;
  const names = (await catalog.repositories()).flatMap((key) => {
    if (key.startsWith(bare)) return [key.slice(bare.length)];
    return only === undefined ? [key] : [];
  });
  return names.toSorted((a, b) => (a < b ? -1 : 1));
}
