import { RegistryError } from '../oci/errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import { noThrift } from './thrift.ts';
import type { Upstream } from './upstream.ts';
import type { UpstreamStatus } from './upstream-status.ts';

/** An upstream that is configured `offline`: nothing is resolved, connected or asked, ever. */
export class OfflineUpstream implements Upstream {
  readonly name: string;
  /** Nothing is spent. */
  readonly thrift = noThrift;

  constructor(name: string) {
    this.name = name;
  }

  status(): UpstreamStatus {
    return { name: this.name, offline: true, revalidation: 'suspended', urls: [], redirects: [] };
  }

  resolve(repository: RepositoryName, reference: Reference): Promise<never> {
    return this.#refuse(`manifest ${repository} ${reference}`);
  }

  fetchManifest(repository: RepositoryName, reference: Reference): Promise<never> {
    return this.#refuse(`manifest ${repository} ${reference}`);
  }

  statBlob(repository: RepositoryName, digest: Digest): Promise<never> {
    return this.#refuse(`blob ${repository} ${digest}`);
  }

  fetchBlob(repository: RepositoryName, digest: Digest): Promise<never> {
    return this.#refuse(`blob ${repository} ${digest}`);
  }

  listTags(repository: RepositoryName): Promise<never> {
    return this.#refuse(`tags of ${repository}`);
  }

  listReferrers(repository: RepositoryName, subject: Digest): Promise<never> {
    return this.#refuse(`referrers of ${repository} ${subject}`);
  }

  ping(): Promise<never> {
    return this.#refuse('registry');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #refuse(what: string): Promise<never> {
    const message = `${this.name} is configured offline, and the ${what} is not in the cache`;
    return Promise.reject(new RegistryError('UPSTREAM_OFFLINE', message));
  }
}
