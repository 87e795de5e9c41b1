import { RegistryError } from '../oci/errors.ts';
import { hostedUpstream, parseRepositoryName, qualify } from '../oci/repository-name.ts';
import type { QualifiedName, RepositoryName } from '../oci/repository-name.ts';
import type { Remote } from './remote.ts';

/** A repository of a registry elsewhere, which is cached here. */
export interface ProxiedRoute {
  /** What in the request told the upstream; in the order in which it is asked. */
  readonly via: 'ns' | 'prefix' | 'host' | 'default';
  readonly remote: Remote;
  readonly repository: RepositoryName;
  /** The canonical key: one for all aliases of a registry. */
  readonly key: QualifiedName;
}

/** A repository that lives here and nowhere else: what is in it was pushed. */
export interface HostedRoute {
  readonly via: 'hosted';
  readonly repository: RepositoryName;
  /** `_hosted/<repository>`. */
  readonly key: QualifiedName;
}

/** Where a request's repository lives. */
export type Route = ProxiedRoute | HostedRoute;

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

/** Which names are hosted, by the configuration's patterns. */
export type HostedNames = (name: string) => boolean;

/**
 * The closed world: a request reaches an upstream of this table, or what is hosted here, or
 * nothing. Decided by the configuration alone, without I/O, so that a push can never shadow what an
 * upstream has: `ns`, an upstream's name in front and its host always mean the upstream.
 */
export class RouteTable {
  #byName!: ReadonlyMap<string, Remote>;
  #byHost!: ReadonlyMap<string, Remote>;
  #default: Remote | undefined;
  #isHosted: HostedNames | undefined;

  constructor(
    entries: readonly RouteTableEntry[],
    defaultUpstream: string | undefined,
    isHosted?: HostedNames,
  ) {
    this.replace(entries, defaultUpstream, isHosted);
  }

  /** Puts others in the place of all there are. Routes that were found go on as they are. */
  replace(
    entries: readonly RouteTableEntry[],
    defaultUpstream: string | undefined,
    isHosted?: HostedNames,
  ): void {
    this.#isHosted = isHosted;
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

  /** Whether a name alone, without `ns` and a mapped host, means what is hosted. */
  isHosted(name: string): boolean {
    if (this.#isHosted === undefined) return false;
    const slash = name.indexOf('/');
    const isPrefixed = slash >= 0 && this.#byName.has(name.slice(0, slash));
    return !isPrefixed && !this.#isOfficial(name) && this.#isHosted(name);
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
    const route = this.find(request);
    assertAllowed(route);
    return route;
  }

  /**
   * As {@link resolve}, without the globs: for who has to know first whether the client may hear of
   * them.
   * @throws RegistryError NAME_INVALID, NAME_UNKNOWN (no such upstream)
   */
  find(request: RouteRequest): Route {
    const chosen = this.#choose(request);
    if (chosen === 'hosted') {
      const repository = parseRepositoryName(request.name);
      return { via: 'hosted', repository, key: qualify(hostedUpstream, repository) };
    }
    const { remote, via, rest } = chosen;
    const repository = parseRepositoryName(withLibrary(remote.name, rest));
    return { via, remote, repository, key: qualify(remote.name, repository) };
  }

  /**
   * Every repository that a name may mean, whatever else a request says: by itself, by `ns` and by
   * the host. A token is asked for with the name alone.
   */
  meanings(name: string): Route[] {
    const ways = [undefined, ...new Set(this.#byName.values())];
    return ways.flatMap((remote) => {
      try {
        return [this.find({ name, ns: remote?.name })];
      } catch {
        return [];
      }
    });
  }

  /** The upstream that a request without a repository (`GET /v2/_catalog`) is limited to, if any. */
  namespace(ns: string): Remote {
    const remote = this.#remoteOf(ns);
    if (remote === undefined) {
      throw new RegistryError('NAME_UNKNOWN', 'no upstream of this name is configured', {
        detail: { ns: ns.slice(0, 200) },
      });
    }
    return remote;
  }

  /** Whether an `ns` means an upstream. */
  isNamespace(ns: string): boolean {
    return this.#remoteOf(ns) !== undefined;
  }

  /** It goes into a header of the answer; and there are letters besides that turn into these. */
  #remoteOf(ns: string): Remote | undefined {
    return isAscii.test(ns) ? this.#byName.get(ns.toLowerCase()) : undefined;
  }

  #choose({ name, ns, host }: RouteRequest): Choice | 'hosted' {
    const slash = name.indexOf('/');
    const prefixed = slash < 0 ? undefined : this.#byName.get(name.slice(0, slash));
    const stripped = name.slice(slash + 1);
    if (ns !== undefined) {
      const remote = this.namespace(ns);
      // A containerd host with `override_path` says the same thing twice, once in the path.
      return { remote, via: 'ns', rest: prefixed === remote ? stripped : name };
    }
    if (prefixed !== undefined) return { remote: prefixed, via: 'prefix', rest: stripped };
    const mapped = host === undefined ? undefined : this.#byHost.get(host.toLowerCase());
    if (mapped !== undefined) return { remote: mapped, via: 'host', rest: name };
    if (this.isHosted(name)) return 'hosted';
    if (this.#default !== undefined) return { remote: this.#default, via: 'default', rest: name };
    throw new RegistryError('NAME_UNKNOWN', 'the name says no upstream, and there is no default', {
      detail: { name: name.slice(0, 300) },
    });
  }

  /** What dockerd asks its mirror for where a user says `alpine`: never hosted, whatever the patterns. */
  #isOfficial(name: string): boolean {
    return this.#default?.name === 'docker.io' && name.startsWith('library/');
  }
}

/**
 * Holds a route to the globs of its upstream.
 * @throws RegistryError DENIED
 */
export function assertAllowed(route: Route): void {
  if (route.via === 'hosted' || route.remote.permits(route.repository)) return;
  throw new RegistryError('DENIED', `${route.remote.name}/${route.repository} is not allowed here`);
}

const isAscii = /^[\x21-\x7e]*$/;

interface Choice {
  readonly remote: Remote;
  readonly via: ProxiedRoute['via'];
  /** The name without the upstream's. */
  readonly rest: string;
}

/** Docker Hub's official images: `alpine` is `library/alpine` (distribution's reference package). */
export function withLibrary(upstream: string, name: string): string {
  return upstream === 'docker.io' && !name.includes('/') ? `library/${name}` : name;
}
