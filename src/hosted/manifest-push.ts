import type { Catalog } from '../catalog/catalog.ts';
import { inBatches } from '../lib/batches.ts';
import { isDistributable, type Descriptor } from '../oci/descriptor.ts';
import { digestOf, splitDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parsePushedManifest, type PushedManifest } from '../oci/pushed-manifest.ts';
import { isDigestReference, type Reference, type Tag } from '../oci/reference.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { HostedLocks } from './hosted-locks.ts';
import type { HostedRules } from './hosted-rules.ts';
import type { ManifestShelf, Referrer } from './manifest-shelf.ts';

/** A manifest as it comes from a client. */
export interface ManifestToPush {
  /** What it is pushed as: a tag, or its own digest. */
  readonly reference: Reference;
  /** More tags for it, where it is pushed by its digest. */
  readonly tags: readonly Tag[];
  /** The header, as it came. */
  readonly contentType: string | undefined;
  readonly bytes: Buffer;
}

/** What the client is told. */
export interface ManifestPushed {
  readonly digest: Digest;
  readonly mediaType: string;
  /** What it refers to. */
  readonly subject: Digest | undefined;
}

export interface ManifestPushOptions {
  readonly catalog: Catalog;
  readonly store: Pick<BlobStore, 'stat'>;
  readonly locks: HostedLocks;
  readonly shelf: ManifestShelf;
  readonly rules: HostedRules;
}

/** Content that is looked for at the same time. */
const width = 32;

/** Takes manifests into repositories that live here (distribution specification, "Pushing Manifests"). */
export class ManifestPush {
  readonly #options: ManifestPushOptions;

  constructor(options: ManifestPushOptions) {
    this.#options = options;
  }

  /**
   * On disk when it settles, tags and all.
   * @throws RegistryError MANIFEST_INVALID, DIGEST_INVALID (it is not what it is called),
   *   MANIFEST_BLOB_UNKNOWN (something it names is not in the repository), DENIED (an immutable tag),
   *   UNAVAILABLE (the disk refuses)
   */
  async put(route: HostedRoute, push: ManifestToPush): Promise<ManifestPushed> {
    const { locks, shelf } = this.#options;
    const { reference, bytes, contentType } = push;
    const isDigest = isDigestReference(reference);
    const digest = digestOf(bytes, isDigest ? splitDigest(reference).algorithm : 'sha256');
    if (isDigest && digest !== reference) {
      throw new RegistryError('DIGEST_INVALID', `the manifest's digest is ${digest}`, {
        detail: { digest },
      });
    }
    const parsed = parsePushedManifest(bytes, contentType);
    const { mediaType } = parsed;
    const manifest = { digest, mediaType, bytes };
    const tags = [...new Set(isDigest ? push.tags : [reference])];
    await locks.withRepository(route.key, async () => {
      for (const tag of tags) await this.#assertMovable(route, tag, digest);
      await this.#assertComplete(route, parsed);
      await shelf.put(route.key, manifest, referrerOf(parsed, manifest), tags);
    });
    return { digest, mediaType, subject: parsed.subject?.digest };
  }

  /** The same content again is no change. */
  async #assertMovable(route: HostedRoute, tag: Tag, digest: Digest): Promise<void> {
    const { catalog, rules } = this.#options;
    if (!rules.isImmutable(route.repository, tag)) return;
    const current = await catalog.tag(route.key, tag);
    if (current === undefined || current.digest === digest) return;
    throw immutable(tag, `names ${current.digest}`);
  }

  /**
   * Whoever pulls the manifest asks for all that it names next. What its layers are found elsewhere for
   * (`urls`) need not be here, nor its subject.
   */
  async #assertComplete(route: HostedRoute, { manifests, blobs }: PushedManifest): Promise<void> {
    const missing = [
      ...(await this.#missing(route, 'manifests', manifests)),
      ...(await this.#missing(route, 'blobs', blobs.filter(isDistributable))),
    ];
    if (missing.length === 0) return;
    const named = missing.slice(0, 5).join(', ');
    const more = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
    throw new RegistryError(
      'MANIFEST_BLOB_UNKNOWN',
      `the manifest names what is not in ${route.repository}: ${named}${more}`,
      { detail: { digest: missing[0] } },
    );
  }

  async #missing(
    route: HostedRoute,
    kind: 'manifests' | 'blobs',
    descriptors: readonly Descriptor[],
  ): Promise<Digest[]> {
    const { catalog, store } = this.#options;
    const digests = [...new Set(descriptors.map(({ digest }) => digest))];
    const look = async (digest: Digest): Promise<Digest | undefined> => {
      const isMember = (await catalog.linked(route.key, kind, digest)) !== undefined;
      return isMember && (await store.stat(digest)) !== undefined ? undefined : digest;
    };
    const missing: Digest[] = [];
    for await (const digest of inBatches(digests, width, look)) {
      if (digest !== undefined) missing.push(digest);
    }
    return missing;
  }
}

/** What an immutable tag answers to whoever wants to change it. */
export function immutable(tag: Tag, detail: string): RegistryError {
  return new RegistryError(
    'DENIED',
    `the tag ${tag} is immutable here (hosted.rules) and ${detail}`,
  );
}

/** What a manifest with a subject is listed as; undefined without one. */
export function referrerOf(
  { subject, artifactType, annotations }: PushedManifest,
  { digest, mediaType, bytes }: StoredManifest,
): Referrer | undefined {
  if (subject === undefined) return undefined;
  const descriptor = {
    mediaType,
    digest,
    size: bytes.length,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  return { subject: subject.digest, descriptor };
}
