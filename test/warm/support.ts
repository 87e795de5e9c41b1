import type { Pin } from '../../src/catalog/pin-record.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { BlobFiller } from '../../src/registry/fill-blob.ts';
import { ReferrerListService } from '../../src/registry/list-referrers.ts';
import { TagListService } from '../../src/registry/list-tags.ts';
import type { PatienceOptions } from '../../src/warm/patience.ts';
import type { WarmEvent, WarmSummary } from '../../src/warm/warm-event.ts';
import type { WarmWishes } from '../../src/warm/warm-wishes.ts';
import { Warmer } from '../../src/warm/warmer.ts';
import { warmParameters } from '../../src/service/warm-parameters.ts';
import type { FakeUpstream } from '../support/fake-upstream.ts';
import { descriptorOf, type Content, type Image } from '../support/images.ts';
import type { Scaffold } from '../support/scaffold.ts';

/** What one run has told. */
export class Told {
  readonly events: WarmEvent[] = [];

  of<K extends WarmEvent['kind']>(kind: K): (WarmEvent & { readonly kind: K })[] {
    return this.events.filter((event): event is WarmEvent & { readonly kind: K } => {
      return event.kind === kind;
    });
  }

  get summary(): WarmSummary {
    return this.of('summary')[0]!;
  }

  /** `<image> <result>` */
  get results(): string[] {
    return this.of('image').map(({ image, result }) => `${image} ${result}`);
  }
}

export interface Arranged {
  readonly maxSize?: number;
  readonly patience?: PatienceOptions;
}

/** A warmer on a scaffold. */
export function arrangeWarmer(scaffold: Scaffold, { maxSize, patience }: Arranged = {}) {
  const { table, catalog, store, manifests, blobs } = scaffold;
  const { signal } = new AbortController();
  const pins: Pin[] = [];
  const failures: string[] = [];
  const warmer = new Warmer({
    table,
    catalog,
    store,
    content: {
      manifests,
      referrers: new ReferrerListService(catalog, manifests, signal),
      tags: new TagListService(catalog, signal),
    },
    filler: new BlobFiller(blobs),
    hosted: {
      digest: () => Promise.reject(new RegistryError('MANIFEST_UNKNOWN')),
      tags: () => Promise.resolve([]),
    },
    pin: async (pin) => void pins.push(pin),
    maxSize,
    patience: patience ?? { forQuota: 60_000, forOutage: 0 },
    observer: { imageFailed: (image, { code }) => failures.push(`${image} ${code}`) },
  });
  return {
    warmer,
    pins,
    failures,
    /** Warms, to the end. */
    warm: async (
      references: readonly string[],
      more: object = {},
      signal = new AbortController().signal,
    ): Promise<Told> => {
      const told = new Told();
      for await (const event of warmer.warm(wishesOf(references, more), signal)) {
        told.events.push(event);
      }
      return told;
    },
  };
}

/** What the API's parameters come to. */
export function wishesOf(references: readonly string[], more: object = {}): WarmWishes {
  const images = references.map((reference) => ({ reference }));
  return warmParameters({ images, platforms: ['linux/amd64'], ...more });
}

/** Puts an image into an upstream. */
export function addImage(
  hub: FakeUpstream,
  repository: string,
  tag: string,
  { manifest, children, blobs }: Image,
): void {
  for (const blob of blobs) hub.addBlob(repository, blob.bytes);
  for (const child of [...children, manifest]) {
    const { bytes, mediaType, digest } = child;
    hub.manifests.set(`${repository}@${digest}`, { bytes, mediaType });
  }
  const { bytes, mediaType } = manifest;
  hub.manifests.set(`${repository}:${tag}`, { bytes, mediaType });
}

/** As a list of referrers has it. */
export function referrerOf(content: Content): Descriptor {
  return { ...descriptorOf(content), artifactType: 'application/vnd.example' };
}
