import type { Catalog } from '../catalog/catalog.ts';
import { hostedUpstream } from '../oci/repository-name.ts';
import type { RouteTable } from './resolve-route.ts';

export interface RepositoryLists {
  readonly table: RouteTable;
  readonly cached: Pick<Catalog, 'repositories'>;
  readonly hosted: Pick<Catalog, 'repositories'>;
}

/**
 * Names the repositories that are cached or hosted, as a client would ask for them: those of the
 * default upstream and hosted ones bare, all others with their upstream in front. What is no longer hosted by
 * the configuration cannot be asked for, and is left out.
 * @param only the one upstream that the request is limited to (`ns`); its names are all bare
 * @returns each once, in ASCII order
 */
export async function listRepositories(
  { table, cached, hosted }: RepositoryLists,
  only: string | undefined,
): Promise<string[]> {
  const bare = `${only ?? table.defaultUpstream}/`;
  const names = (await cached.repositories()).flatMap((key) => {
    const name = key.slice(bare.length);
    if (!key.startsWith(bare)) return only === undefined ? [key] : [];
    // Bare, it would mean the hosted one.
    return only === undefined && table.isHosted(name) ? [key] : [name];
  });
  if (only === undefined) {
    const keys = await hosted.repositories();
    const local = keys.map((key) => key.slice(hostedUpstream.length + 1));
    names.push(...local.filter((name) => table.isHosted(name)));
  }
  return names.toSorted((a, b) => (a < b ? -1 : 1));
}
