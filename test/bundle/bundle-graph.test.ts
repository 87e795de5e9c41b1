import { describe, expect, it } from '@jest/globals';
import { Adoption, type AdoptingPart } from '../../src/bundle/adoption.ts';
import { BundleGraph, nodeOf, type BundledNode } from '../../src/bundle/bundle-graph.ts';
import type { BundledManifest, BundleIndex } from '../../src/bundle/bundle-index.ts';
import { Staging } from '../../src/bundle/staging.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { placeOf } from '../../src/registry/image-place.ts';
import { blobName } from '../support/bundle.ts';
import { content, descriptorOf, imageOf, layerOf, type Content } from '../support/images.ts';
import { readInto } from '../support/read-archive.ts';
import { tar } from '../support/tar.ts';
import { tempDir } from '../support/temp-dir.ts';

/** An index of manifests, whether or not they come along. */
function listOf(
  ...children: readonly { digest: Digest; mediaType: string; size: number }[]
): Content {
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children };
  return content(Buffer.from(JSON.stringify(document)), mediaTypes.ociIndex);
}

function nodesOf(manifests: readonly Content[]): Map<Digest, BundledNode> {
  return new Map(
    manifests.map(({ digest, bytes, mediaType }) => [digest, nodeOf(bytes, mediaType)]),
  );
}

function indexOf(
  images: Readonly<Record<string, Content>>,
  manifests: readonly Content[],
  blobs: readonly Content[] = [],
): BundleIndex {
  return {
    version: 1,
    index: { digest: digestOf(Buffer.alloc(0)), size: 0 },
    images: Object.entries(images).map(([name, image]) => ({
      name,
      ...(descriptorOf(image) as BundledManifest),
      platforms: [],
    })),
    referrers: [],
    manifests: manifests.map((each) => descriptorOf(each) as BundledManifest),
    blobs: blobs.map(({ digest, bytes }) => ({ digest, size: bytes.length, included: true })),
  };
}

describe('the graph of a bundle', () => {
  const image = imageOf({ os: 'linux', architecture: 'amd64' }, [layerOf(100, 1)]);
  const child = image.manifest;
  const inner = listOf(descriptorOf(child));
  const outer = listOf(descriptorOf(child), descriptorOf(inner));
  const manifests = [outer, inner, child];
  const index = indexOf(
    { 'docker.io/library/a:1': outer, 'docker.io/library/a:2': child },
    manifests,
    image.blobs,
  );
  const graph = new BundleGraph(index, nodesOf(manifests));

  it('has what a manifest names in front of it, wherever else that is named', () => {
    const expected = [child, inner, outer].map(({ digest }) => digest);
    for (const roots of [[outer], [child, outer], [outer, inner, child]]) {
      const closure = graph.closureOf(roots.map(({ digest }) => digest));
      expect(closure.manifests.map(({ digest }) => digest)).toEqual(expected);
      expect(closure.blobs).toHaveLength(image.blobs.length);
    }
  });

  it('looks at each manifest once, however many ways lead to it', () => {
    let level: Content = child;
    const levels = [level];
    for (let nth = 0; nth < 100; nth++) {
      level = listOf(...Array.from({ length: 10 }, () => descriptorOf(level)));
      levels.push(level);
    }
    const deep = new BundleGraph(
      indexOf({ 'docker.io/library/a:1': level }, levels, image.blobs),
      nodesOf(levels),
    );
    let named = 0;
    const closure = deep.closureOf([level.digest], (count) => (named += count));
    expect(closure.manifests).toHaveLength(101);
    expect(named).toBe(100 * 11 + 1 + image.blobs.length);
  });

  it.each([
    [mediaTypes.ociIndex, child],
    [mediaTypes.dockerManifest, child],
    [mediaTypes.ociManifest, inner],
  ])('takes nothing for %s that says it is something else', (type, { bytes }) => {
    expect(() => nodeOf(bytes, type)).toThrow('of another type than it should be');
  });

  it('knows all images that need a blob', () => {
    const [blob] = image.blobs;
    expect(graph.neededBy(blob!.digest)).toEqual([
      'docker.io/library/a:1',
      'docker.io/library/a:2',
    ]);
    expect(graph.neededBy(digestOf(Buffer.from('other')))).toEqual([]);
  });
});

describe('adopting images', () => {
  const names = {
    upstreams: new Map([['docker.io', 'docker.io']]),
    defaultUpstream: undefined,
    isHosted: undefined,
  };
  const part: AdoptingPart = {
    path: () => '',
    holds: () => Promise.resolve(true),
    assertAllowed: () => Promise.resolve(),
    hasBlob: () => Promise.resolve(true),
    addBlob: () => Promise.resolve(),
    addManifests: () => Promise.resolve(),
    addTags: () => Promise.resolve(),
  };

  it('refuses a small bundle that would fill the record with links', async () => {
    await using folder = tempDir('staged');
    const staging = new Staging(folder.path, 'a'.repeat(64));
    await staging.open();
    const absent = Array.from({ length: 5_000 }, (_, nth) => {
      const digest = digestOf(Buffer.from(String(nth)));
      return { digest, size: 2, mediaType: mediaTypes.ociManifest };
    });
    const large = listOf(...absent);
    await staging.put(large.digest, large.bytes);
    await staging.settled();
    const images = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, nth) => [`docker.io/library/a${nth}:1`, large]),
    );
    const adoption = Adoption.prepare({
      index: indexOf(images, [large]),
      staging,
      parts: { cached: part, hosted: part },
      placeOf: (repository) => placeOf(repository, names),
      isTrusted: true,
      onBytes: () => undefined,
    });
    await expect(adoption).rejects.toMatchObject({ code: 'BUNDLE_INVALID' });
  });
});

it('refuses an archive of strangers that calls one large index by a thousand names', async () => {
  const absent = Array.from({ length: 5_000 }, (_, nth) => {
    const digest = digestOf(Buffer.from(String(nth)));
    return { digest, size: 2, mediaType: mediaTypes.ociManifest };
  });
  const large = listOf(...absent);
  const manifests = Array.from({ length: 1_000 }, (_, nth) => ({
    ...descriptorOf(large),
    annotations: { 'org.opencontainers.image.ref.name': `ghcr.io/org/a${nth}:1` },
  }));
  const archive = tar([
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests }) },
    { path: blobName(large.digest), content: large.bytes },
  ]);
  await using folder = tempDir('strangers');
  await expect(readInto(folder.path, archive)).rejects.toMatchObject({ code: 'BUNDLE_INVALID' });
});
