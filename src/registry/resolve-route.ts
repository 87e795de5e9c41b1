import { RegistryError } from '../oci/errors.ts';
import { parseRepositoryName, qualify } from '../oci/repository-name.ts';
import type { QualifiedName, RepositoryName } from '../oci/repository-name.ts';
import type { Remote } from './remote.ts';

/** What in the request told the upstream; in the order in which it is asked. */
export type RouteVia = 'ns' | 'prefix' | 'host' | 'default';

/** Where a request's repository lives. */
export interface Route {
  readonly via: RouteVia;
  readonly remote: Remote;
  readonly repository: RepositoryName;
  /** The canonical key: one for all aliases of a registry. */
  readonly key: QualifiedName;
}

/** What a request says about its repository. */
export interface RouteRequest {
  /** As it stands in the path, behind `/v2/`, prefix included. */
  readonly name: string;
  /** The `ns` query parameter (containerd, dockerd's containerd store). */
  readonly ns?: string | undefined;
  /** The `Host` header. */
  readonly host?: string | undefined;
}

/** One upstream and every name it goes by. */
export interface RouteTableEntry {
  readonly remote: Remote;
  readonly aliases: readonly string[];
  /** `Host` header values that mean this upstream. */
  readonly hosts: readonly string[];
}

/**
 * The closed world: a request reaches an upstream of this table or none. Decided by the
 * configuration alone, without I/O.
 */
export class RouteTable {
  #byName!: ReadonlyMap<string, Remote>;
  #byHost!: ReadonlyMap<string, Remote>;
  #default: Remote | undefined;

  constructor(entries: readonly RouteTableEntry[], defaultUpstream: string | undefined) {
    this.replace(entries, defaultUpstream);
  }

  /** Puts other upstreams in the place of all there are. Routes that were found go on as they are. */
  replace(entries: readonly RouteTableEntry[], defaultUpstream: string | undefined): void {
    const byName = new Map<string, Remote>();
    const byHost = new Map<string, Remote>();
    for (const { remote, aliases, hosts } of entries) {
      for (const name of [remote.name, ...aliases]) byName.set(name, remote);
      for (const host of hosts) byHost.set(host.toLowerCase(), remote);
    }
    this.#byName = byName;
    this.#byHost = byHost;
    this.#default = defaultUpstream === undefined ? undefined : byName.get(defaultUpstream);
  }

  /** The name of the upstream that is meant where a request names none. */
  get defaultUpstream(): string | undefined {
    return this.#default?.name;
  }

  /** Whether a path's first component means an upstream. */
  isUpstream(name: string): boolean {
    return this.#byName.has(name);
  }

  /**
   * Finds the repository that a request means.
   * @throws RegistryError NAME_INVALID, NAME_UNKNOWN (no such upstream), DENIED (by the globs)
   */
  resolve(request: RouteRequest): Route {
    const { remote, via, rest } = this.#choose(request);
    const repository = parseRepositoryName(withLibrary(remote.name, rest));
    if (!remote.permits(repository)) {
      throw new RegistryError('DENIED', `${remote.name}/${repository} is not allowed here`);
    }
    return { via, remote, repository, key: qualify(remote.name, repository) };
  }

  /** The upstream that a request without a repository (`GET /v2/_catalog`) is limited to, if any. */
  namespace(ns: string): Remote {
    const remote = this.#byName.get(ns.toLowerCase());
    if (remote === undefined) {
      throw new RegistryError('NAME_UNKNOWN', 'no upstream of this name is configured', {
        detail: { ns: ns.slice(0, 200) },
      });
    }
    return remote;
  }

  #choose({ name, ns, host }: RouteRequest): { remote: Remote; via: RouteVia; rest: string } {
    const slash = name.indexOf('/');
    const prefixed = slash < 0 ? undefined : this.#byName.get(name.slice(0, slash));
    const stripped = name.slice(slash + 1);
    if (ns !== undefined) {
      const remote = this.namespace(ns);
      // A containerd host with `override_path` says the same thing twice, once in the path.
      return { remote, via: 'ns', rest: prefixed === remote ? stripped : name };
    }
    if (prefixed !== undefined) return { remote: prefixed, via: 'prefix', rest: stripped };
    const hosted = host === undefined ? undefined : this.#byHost.get(host.toLowerCase());
    if (hosted !== undefined) return { remote: hosted, via: 'host', rest: name };
    if (this.#default !== undefined) return { remote: this.#default, via: 'default', rest: name };
    throw new RegistryError('NAME_UNKNOWN', 'the name says no upstream, and there is no default', {
      detail: { name: name.slice(0, 300) },
    });
  }
}

/** Docker Hub's official images: `alpine` is `library/alpine` (distribution's reference package). */
export function withLibrary(upstream: string, name: string): string {
  return upstream === 'docker.io' && !name.includes('/') ? `library/${name}` : name;
}
