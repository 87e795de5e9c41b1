import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isIndexType, isManifestType } from '../oci/media-type.ts';
import {
  chooseChildren,
  formatPlatform,
  isAttestation,
  readPlatform,
  type Platforms,
} from '../oci/platform.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type { ManifestAnswer } from '../registry/get-manifest.ts';

/** Manifests of one image, referrers included; beyond that somebody plays with us. */
const maxManifests = 2_000;

/** Indexes in indexes. */
const maxDepth = 8;

/** What of an image's repository has to be asked for; each throws a RegistryError. */
export interface ManifestQuestions {
  manifest(reference: Reference): Promise<ManifestAnswer>;
  /** What refers to a manifest; none where nothing does. */
  referrers(subject: Digest): Promise<readonly Descriptor[]>;
  /** A manifest under a tag that mostly is not there; undefined then. */
  tagged(tag: Tag): Promise<ManifestAnswer | undefined>;
}

/** Follows an image's manifests to all that belongs to it. */
export class ImageFollower {
  /** What its indexes were made for, as far as it was chosen. */
  readonly platforms = new Set<string>();
  /** Platforms that it has nothing for, though for others. */
  readonly lacking = new Set<string>();
  /** Everything else that it consists of. */
  readonly blobs = new Map<Digest, Descriptor>();
  /** Whether a manifest had to be fetched. */
  hasFetched = false;
  readonly #manifests = new Set<Digest>();
  readonly #questions: ManifestQuestions;

  constructor(questions: ManifestQuestions) {
    this.#questions = questions;
  }

  /**
   * Takes in a manifest and what it names, for the platforms that are wanted.
   * @throws RegistryError MANIFEST_UNKNOWN where it has something for none of them
   */
  async follow(answer: ManifestAnswer, wanted: Platforms, depth = 0): Promise<void> {
    const { digest, mediaType, bytes, outcome } = answer;
    if (outcome.kind === 'miss' || outcome.kind === 'collapsed') this.hasFetched = true;
    if (this.#manifests.has(digest)) return;
    this.#manifests.add(digest);
    if (this.#manifests.size > maxManifests || depth > maxDepth) {
      throw new RegistryError('MANIFEST_INVALID', `there is no end to what ${digest} names`);
    }
    const { manifests, blobs } = parseManifest(bytes, mediaType);
    for (const blob of blobs) this.blobs.set(blob.digest, blob);
    if (!isIndexType(mediaType)) return;
    const children = this.#choose(manifests, wanted);
    await Promise.all(
      children.map(async (child) =>
        this.follow(await this.#questions.manifest(child.digest), wanted, depth + 1),
      ),
    );
  }

  /** Takes in what refers to its manifests, and what refers to that: signatures of SBOMs. */
  async followReferrers(): Promise<void> {
    // A set goes on to what is added while it is walked.
    for (const subject of this.#manifests) {
      const listed = await this.#questions.referrers(subject);
      const found = listed.filter(({ mediaType }) => isManifestType(mediaType));
      for (const { digest } of found) {
        if (!this.#manifests.has(digest)) await this.#followReferrer(digest);
      }
      for (const suffix of cosignSuffixes) {
        const tag = `${subject.replace(':', '-')}.${suffix}` as Tag;
        const answer = await this.#questions.tagged(tag);
        if (answer !== undefined) await this.follow(answer, 'all');
      }
    }
  }

  async #followReferrer(digest: Digest): Promise<void> {
    try {
      await this.follow(await this.#questions.manifest(digest), 'all');
    } catch (error) {
      // A list may name what was deleted since.
      if (!isRegistryError(error, 'MANIFEST_UNKNOWN')) throw error;
    }
  }

  #choose(index: readonly Descriptor[], wanted: Platforms): readonly Descriptor[] {
    const { children, missing } = chooseChildren(index, wanted);
    if (children.length === 0 && index.length > 0) {
      const names = (missing.length > 0 ? missing : []).map(formatPlatform).join(', ');
      const others = platformsOf(index).join(', ');
      throw new RegistryError(
        'MANIFEST_UNKNOWN',
        `the image has nothing for ${names || 'the platforms'}${others && `; it has ${others}`}`,
      );
    }
    for (const platform of missing) this.lacking.add(formatPlatform(platform));
    for (const platform of platformsOf(children)) this.platforms.add(platform);
    return children;
  }
}

/** Where cosign keeps what it makes for an image, in registries without the referrers API. */
const cosignSuffixes = ['sig', 'att', 'sbom'];

function platformsOf(children: readonly Descriptor[]): string[] {
  const platforms = children
    .filter((child) => !isAttestation(child))
    .map((child) => readPlatform(child['platform']));
  return [...new Set(platforms.filter((each) => each !== undefined).map(formatPlatform))];
}
