import type { Digest } from '../../../src/oci/digest.ts';
import type { Content, Image } from '../images.ts';

/** What one repository of the scripted upstream holds. */
export interface Repository {
  readonly tags: Map<string, Digest>;
  readonly manifests: Map<Digest, Content>;
  readonly blobs: Map<Digest, Content>;
  /** By subject. */
  readonly referrers: Map<Digest, Content[]>;
}

/** The repositories by name; each knows only what was put into it. */
export class Repositories {
  readonly #byName = new Map<string, Repository>();

  get(name: string): Repository | undefined {
    return this.#byName.get(name);
  }

  /** Puts an image, index or artifact into a repository, under a tag where one is given. */
  add(name: string, tag: string | undefined, image: Image): void {
    const repository = this.#byName.get(name) ?? {
      tags: new Map<string, Digest>(),
      manifests: new Map<Digest, Content>(),
      blobs: new Map<Digest, Content>(),
      referrers: new Map<Digest, Content[]>(),
    };
    this.#byName.set(name, repository);
    for (const manifest of [image.manifest, ...image.children]) {
      repository.manifests.set(manifest.digest, manifest);
    }
    for (const blob of image.blobs) repository.blobs.set(blob.digest, blob);
    if (tag !== undefined) repository.tags.set(tag, image.manifest.digest);
    const { subject } = JSON.parse(image.manifest.bytes.toString()) as {
      subject?: { digest: Digest };
    };
    if (subject !== undefined) {
      const known = repository.referrers.get(subject.digest) ?? [];
      repository.referrers.set(subject.digest, [...known, image.manifest]);
    }
  }

  /** Puts a lone blob into a repository. */
  addBlob(name: string, blob: Content): void {
    const known = this.#byName.get(name);
    if (known === undefined) throw new Error(`no repository ${name}`);
    known.blobs.set(blob.digest, blob);
  }

  /** Takes a tag away; what it named stays. */
  untag(name: string, tag: string): void {
    this.#byName.get(name)?.tags.delete(tag);
  }
}
