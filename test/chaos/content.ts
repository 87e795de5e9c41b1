import type { Digest } from '../../src/oci/digest.ts';
import { imageOf, indexOf, layerOf, type Content, type Image } from '../support/images.ts';
import { Random } from '../support/random.ts';

/** A tag that moves between images, and all that it ever pointed to. */
export interface MovingTag {
  /** The upstream's name in Baleen's configuration. */
  readonly upstream: string;
  readonly repository: string;
  readonly tag: string;
  readonly versions: readonly Image[];
  /** The versions it has named so far in this run, the present one last. */
  readonly named: Image[];
}

/** Every image of a run, and its parts by digest. */
export interface ChaosContent {
  readonly tags: readonly MovingTag[];
  readonly blobs: ReadonlyMap<Digest, Content>;
  readonly manifests: ReadonlyMap<Digest, Content>;
  /** Bytes of everything, each blob once. */
  readonly bytes: number;
  /** Bytes of the largest blob. */
  readonly largest: number;
}

const repositories = [
  ['docker.io', 'library/krill'],
  ['docker.io', 'library/plankton'],
  ['docker.io', 'blue/whale'],
  ['ghcr.io', 'grey/whale'],
  ['ghcr.io', 'open/sea/minnow'],
] as const;

/** `edge` is checked with every request, `stable` once a second. */
const tags = ['edge', 'stable'];

const versionsOfTag = 4;

/**
 * Images as they are in the world: layers of all sizes, many of them shared between versions,
 * repositories and upstreams, and some tags that name an index over two platforms.
 * @param scale of the sizes of layers; 1 is for about 60 MB in all
 */
export function chaosContent(seed: number, scale = 1): ChaosContent {
  const random = new Random(seed);
  let layers = 0;
  const freshLayer = (): Content => {
    layers += 1;
    const [low, high] = random.pick([
      [10, 3_000],
      [20_000, 90_000],
      [200_000, 900_000],
      [1_000_000, 2_500_000],
    ] as const);
    return layerOf(Math.ceil(random.between(low, high) * scale), seed * 10_000 + layers);
  };
  const shared = Array.from({ length: 12 }, freshLayer);
  const image = (label: string): Image => {
    const own = Array.from({ length: random.between(1, 2) }, freshLayer);
    const common = random.shuffled(shared).slice(0, random.between(1, 3));
    return imageOf({ architecture: 'amd64', os: 'linux', config: { Labels: { label } } }, [
      ...common,
      ...own,
    ]);
  };
  const all = repositories.flatMap(([upstream, repository]) =>
    tags.map((tag): MovingTag => {
      const versions = Array.from({ length: versionsOfTag }, (_, version) => {
        const label = `${repository}:${tag}#${String(version)}`;
        if (!random.chance(0.3)) return image(label);
        return indexOf({ amd64: image(`${label} amd64`), arm64: image(`${label} arm64`) });
      });
      return { upstream, repository, tag, versions, named: versions.slice(0, 1) };
    }),
  );
  const images = all.flatMap(({ versions }) => versions);
  const byDigest = (list: Content[]): Map<Digest, Content> =>
    new Map(list.map((each) => [each.digest, each]));
  const blobs = byDigest(images.flatMap((each) => each.blobs));
  const manifests = byDigest(images.flatMap((each) => [each.manifest, ...each.children]));
  const sizes = [...blobs.values(), ...manifests.values()].map(({ bytes }) => bytes.length);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return { tags: all, blobs, manifests, bytes, largest: Math.max(...sizes) };
}
