import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalog, Member } from '../catalog/catalog.ts';
import { isMissing } from '../lib/atomic-file.ts';
import { linkOrCopy } from '../lib/link-or-copy.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError } from '../oci/errors.ts';
import { hostedUpstream } from '../oci/repository-name.ts';
import type { HostedRoute, ProxiedRoute, Route } from '../registry/resolve-route.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import type { Layout } from '../store/layout.ts';
import { isRight } from '../store/verification.ts';
import type { HostedLocks } from './hosted-locks.ts';
import type { UploadObserver } from './upload-observer.ts';

/** A store with its record. */
export interface Shelf {
  readonly layout: Layout;
  readonly store: DiskBlobStore;
  readonly catalog: Catalog;
}

export interface MountOptions {
  readonly hosted: Shelf;
  readonly cached: Shelf;
  readonly locks: HostedLocks;
  readonly observer: UploadObserver;
}

/** Repositories that are looked into for a blob: an upload costs less than a look into very many. */
const mostSearched = 500;

/**
 * Mounts blobs from other repositories (distribution specification, "Mounting a blob from another
 * repository"): no bytes are sent, and none copied where the disk can do without.
 */
export class Mount {
  readonly #options: MountOptions;

  constructor(options: MountOptions) {
    this.#options = options;
  }

  /**
   * Makes a blob of one repository belong to another, too.
   * @param from one that the caller may pull from; one that is cached is only looked at as far as
   *   its blob could be served without asking its upstream
   * @returns false where it is not there, or cannot be had: the client then uploads it
   */
  async mount(to: HostedRoute, digest: Digest, from: Route): Promise<boolean> {
    const { locks, observer, hosted } = this.#options;
    try {
      const isMounted = await locks.withBlobs([digest], () =>
        from.via === 'hosted'
          ? this.#fromHosted(to, digest, from)
          : this.#fromCached(to, digest, from),
      );
      observer.mounted(isMounted ? (from.via === 'hosted' ? 'hosted' : 'cached') : 'none');
      return isMounted;
    } catch (error) {
      // An upload may still find its way; the disk's health has heard of it.
      if (!isRegistryError(error)) hosted.store.refused('upload', error);
      observer.mounted('none');
      return false;
    }
  }

  /**
   * A hosted repository that has the blob, for a client that names none (distribution specification:
   * "The registry MAY treat the `from` parameter as optional").
   * @param readable of these names, the routes of those that the caller may pull from
   */
  async find(
    digest: Digest,
    readable: (names: readonly string[]) => readonly HostedRoute[],
  ): Promise<HostedRoute | undefined> {
    const { hosted } = this.#options;
    // Mostly nobody has it, which one look tells.
    if ((await hosted.store.stat(digest)) === undefined) return undefined;
    const keys = await hosted.catalog.repositories();
    const routes = readable(keys.map((key) => key.slice(hostedUpstream.length + 1)));
    for (const route of routes.slice(0, mostSearched)) {
      if ((await wholeMember(hosted, route, digest)) !== undefined) return route;
    }
    return undefined;
  }

  async #fromHosted(to: HostedRoute, digest: Digest, from: HostedRoute): Promise<boolean> {
    const { hosted } = this.#options;
    const member = await wholeMember(hosted, from, digest);
    if (member === undefined) return false;
    await hosted.catalog.link(to.key, 'blobs', [member]);
    hosted.store.used(digest);
    return true;
  }

  async #fromCached(to: HostedRoute, digest: Digest, from: ProxiedRoute): Promise<boolean> {
    const { hosted, cached } = this.#options;
    const member = await wholeMember(cached, from, digest);
    if (member === undefined) return false;
    const temporary = join(hosted.layout.temporary, randomUUID());
    try {
      await linkOrCopy(cached.layout.blob(digest), temporary);
      // What is cached can be fetched again when it is found wrong; from here on it is what was pushed.
      if (!(await isRight(temporary, digest))) return false;
      await hosted.store.adopt(digest, temporary, member.size);
    } catch (error) {
      // Evicted in the last moment.
      if (isMissing(error)) return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
    await hosted.catalog.link(to.key, 'blobs', [member]);
    return true;
  }
}

/** A blob that belongs to a repository without a doubt, and whose file has the size on record. */
async function wholeMember(
  { catalog, store }: Shelf,
  { key }: Route,
  digest: Digest,
): Promise<(Member & { readonly size: number }) | undefined> {
  const member = await catalog.linked(key, 'blobs', digest);
  if (member?.size === undefined || member.claimed) return undefined;
  const size = await store.stat(digest);
  return size === member.size ? { ...member, size } : undefined;
}
