/**
 * What a request wants of a repository. `pull` reads manifests, blobs, tags and referrers; `push`
 * uploads and puts manifests; `delete` removes; `admin` is for what concerns more than one repository.
 */
export type Action = 'pull' | 'push' | 'delete' | 'admin';
