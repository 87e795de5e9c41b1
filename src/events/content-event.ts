import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * What has happened to content. Named as CNCF distribution names them (docs, "Work with
 * notifications"), but for two that it has not: `cache`, new here from an upstream, and `hold`, a
 * pull that was refused since nobody has judged the image yet.
 */
export type EventAction = 'push' | 'pull' | 'mount' | 'delete' | 'cache' | 'hold';

/** Who asked for it, where somebody did. */
export interface EventRequest {
  readonly id: string;
  /** The client's address. */
  readonly addr: string | undefined;
  /** The Host header. */
  readonly host: string | undefined;
  readonly method: string;
  readonly useragent: string | undefined;
}

/** One thing that happened to one piece of content. */
export interface ContentEvent {
  readonly action: EventAction;
  readonly kind: 'manifest' | 'blob';
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Behind its upstream's name, as in `docker.io/library/alpine`, or bare where it is hosted. */
  readonly repository: string;
  /** Undefined only where a tag was deleted. */
  readonly digest: Digest | undefined;
  readonly mediaType?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
  readonly tag?: string | undefined;
  /** What a manifest points to; a function where that has to be found out. */
  readonly references?: (() => readonly Descriptor[]) | undefined;
  /** Where a blob was mounted from. */
  readonly fromRepository?: string | undefined;
  /** Where a client finds it. */
  readonly url?: string | undefined;
  readonly request?: EventRequest | undefined;
  /** The account; undefined where nobody logged in. */
  readonly account?: string | undefined;
}

/** What an endpoint wants to hear of. */
export interface EventFilter {
  /** `push` stands for mounts as well. */
  readonly actions: ReadonlySet<EventAction>;
  readonly matches: (repository: string) => boolean;
  /** Whether it wants to hear of layers and configs too. */
  readonly blobs: boolean;
}

/** Whether an endpoint wants to hear of something. */
export function isWanted(
  { actions, matches, blobs }: EventFilter,
  { action, kind, repository }: Pick<ContentEvent, 'action' | 'kind' | 'repository'>,
): boolean {
  if (kind === 'blob' && !blobs) return false;
  return actions.has(action === 'mount' ? 'push' : action) && matches(repository);
}
