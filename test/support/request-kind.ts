/** What a request to a registry is about, with the method where it matters. */
export type RequestKind =
  | 'ping'
  | 'manifest-get'
  | 'manifest-head'
  | 'blob-get'
  | 'blob-head'
  | 'tags'
  | 'referrers'
  | 'token'
  | 'cdn'
  | 'other';

/** Sorts a request to a registry by its method and path. */
export function classify(method: string, url: string): RequestKind {
  const path = url.split('?', 1)[0] ?? '';
  if (path === '/v2/' || path === '/v2') return 'ping';
  if (/^\/v2\/.+\/manifests\/[^/]+$/.test(path)) {
    return method === 'HEAD' ? 'manifest-head' : method === 'GET' ? 'manifest-get' : 'other';
  }
  if (/^\/v2\/.+\/blobs\/[^/]+:[^/]+$/.test(path)) {
    return method === 'HEAD' ? 'blob-head' : method === 'GET' ? 'blob-get' : 'other';
  }
  if (/^\/v2\/.+\/tags\/list$/.test(path)) return 'tags';
  if (/^\/v2\/.+\/referrers\/[^/]+$/.test(path)) return 'referrers';
  return 'other';
}
