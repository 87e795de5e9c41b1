import type { Digest } from '../oci/digest.ts';

/** How a client has asked for something of a repository. */
export interface AskedFor {
  readonly scheme: string;
  /** The Host header. */
  readonly host: string | undefined;
  /** Path and query as sent: below `…/manifests/` or `…/blobs/`. */
  readonly path: string;
}

/**
 * Where the same client finds content of the same repository, by its digest; undefined where the
 * request does not say. `ns` stays: without it, the path would mean another repository.
 */
export function contentUrl(
  { scheme, host, path }: AskedFor,
  kind: 'manifest' | 'blob',
  digest: Digest,
): string | undefined {
  const [bare = '', query] = path.split('?', 2);
  const end = Math.max(bare.lastIndexOf('/manifests/'), bare.lastIndexOf('/blobs/'));
  if (host === undefined || end < 0) return undefined;
  const ns = new URLSearchParams(query).get('ns');
  const suffix = ns === null ? '' : `?${new URLSearchParams({ ns }).toString()}`;
  return `${scheme}://${host}${bare.slice(0, end)}/${kind}s/${digest}${suffix}`;
}
