import type { Calm } from './calm.ts';
import type { BlobContent, ImageContent } from './content.ts';
import type { Load } from './load.ts';
import type { Options } from './options.ts';
import type { Server, ServerKind } from './servers/server.ts';
import type { Upstream } from './upstream.ts';

/** What every section of the bench works with. */
export interface Context {
  readonly options: Options;
  readonly kinds: readonly ServerKind[];
  readonly upstream: Upstream;
  readonly load: Load;
  readonly calm: Calm;
  readonly contents: Contents;
  /** Tells of the progress, a line at a time. */
  note(line: string): void;
}

/** Everything that the upstream has. */
export interface Contents {
  /** Its first layer is `warm`. */
  readonly image: ImageContent;
  readonly warm: BlobContent;
  /** Holds the blobs of the cold section, one for each round and number of clients, and `big` and `slow`. */
  readonly coldImage: ImageContent;
  /** Made so that every cold fetch of a run has a blob of its own. */
  readonly cold: readonly BlobContent[];
  readonly slow: BlobContent;
  readonly big: BlobContent;
}

/** Starts servers, hands them on, and stops them whatever happens. */
export async function withServers<T>(
  context: Context,
  kinds: readonly ServerKind[],
  use: (servers: readonly Server[]) => Promise<T>,
): Promise<T> {
  const servers: Server[] = [];
  try {
    for (const kind of kinds) servers.push(await kind.start(context.upstream.port));
    return await use(servers);
  } finally {
    for (const server of servers) await server.stop();
  }
}

/** The servers in another order each round, so that no one always comes first. */
export function rotated<T>(items: readonly T[], round: number): readonly T[] {
  const by = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(by), ...items.slice(0, by)];
}
