import { appendFile, rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BundlePlanner, type BundlePlan } from '../../src/bundle/bundle-plan.ts';
import { parseExportTarget } from '../../src/bundle/export-target.ts';
import type { Choice } from '../../src/bundle/image-walk.ts';
import { openSources } from '../../src/cli/image-sources.ts';
import { loadConfig } from '../../src/config/load.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { parsePlatforms } from '../../src/oci/platform.ts';
import { DataDirectory } from '../support/data-directory.ts';
import {
  artifactOf,
  content,
  descriptorOf,
  indexOf,
  seededImage,
  type Content,
  type Image,
} from '../support/images.ts';
import { flipBit } from '../support/stored.ts';

const [amd64, arm64, other] = [1, 2, 3].map((seed) => seededImage([100, 200], seed)) as [
  Image,
  Image,
  Image,
];

/** An index of whatever descriptors say. */
function index(children: readonly object[], ...images: readonly Image[]): Image {
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children };
  return {
    manifest: content(Buffer.from(JSON.stringify(document)), mediaTypes.ociIndex),
    children: images.flatMap(({ manifest, children }) => [manifest, ...children]),
    blobs: images.flatMap(({ blobs }) => blobs),
  };
}

/** An index's descriptor of BuildKit's attestation of an image. */
function attesting(attestation: Image, { manifest }: Image): object {
  return {
    ...descriptorOf(attestation.manifest),
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': manifest.digest,
    },
  };
}

const forPlatform = ({ manifest }: Image, architecture: string, variant?: string): object => ({
  ...descriptorOf(manifest),
  platform: { os: 'linux', architecture, variant },
});

let data: DataDirectory;

beforeEach(async () => {
  data = await DataDirectory.create();
});

afterEach(async () => {
  await data[Symbol.asyncDispose]();
});

interface Wish {
  readonly platform?: string;
  readonly referrers?: boolean;
}

async function plan(names: readonly string[], wish: Wish = {}): Promise<BundlePlan> {
  const { platform, referrers = false } = wish;
  const choice: Choice = platform === undefined ? 'stored' : parsePlatforms(platform.split(','));
  const overrides = [
    { path: ['storage', 'directory'], value: data.path, source: 'test' },
    { path: ['hosted', 'repositories'], value: ['*', 'local/**'], source: 'test' },
  ];
  const config = loadConfig({ file: undefined, env: {}, overrides });
  const context = { stderr: (text: string) => process.stderr.write(text) };
  await using sources = await openSources(config, context as never);
  const targets = names.map((name) => ({ ...parseExportTarget(name, sources), choice }));
  return new BundlePlanner({ referrers }).plan(targets);
}

const lacksOf = ({ lacking }: BundlePlan): unknown[] => lacking.flatMap(({ lacks }) => lacks);
const digests = (contents: readonly { readonly digest: string }[]): string[] =>
  contents.map(({ digest }) => digest).toSorted();

describe('the plan of a bundle', () => {
  it('names each manifest and each blob once, in order, however many images share them', async () => {
    const both = indexOf({ amd64, arm64 });
    await data.cache('docker.io/library/krill', '1', both);
    await data.cache('ghcr.io/org/krill', 'same', amd64);
    const { images, manifests, blobs } = await plan([
      'docker.io/library/krill:1',
      'ghcr.io/org/krill:same',
    ]);
    expect(images.map(({ name }) => name)).toEqual([
      'docker.io/library/krill:1',
      'ghcr.io/org/krill:same',
    ]);
    expect(manifests.map(({ digest }) => digest)).toEqual(
      digests([both.manifest, ...both.children]),
    );
    expect(blobs.map(({ digest }) => digest)).toEqual(digests(both.blobs));
  });

  it('takes attestations with what they are about, where they are there', async () => {
    const about = artifactOf(amd64.manifest, 'application/vnd.in-toto', 'built so');
    const missing = artifactOf(arm64.manifest, 'application/vnd.in-toto', 'built otherwise');
    const children = [
      forPlatform(amd64, 'amd64'),
      forPlatform(arm64, 'arm64'),
      attesting(about, amd64),
      attesting(missing, arm64),
    ];
    const image = index(children, amd64, arm64, about);
    await data.cache('docker.io/library/krill', '1', image);
    const stored = await plan(['docker.io/library/krill:1']);
    expect(stored.lacking).toEqual([]);
    expect(stored.images[0]?.platforms).toEqual(['linux/amd64', 'linux/arm64']);
    expect(digests(stored.manifests)).toEqual(digests([image.manifest, ...image.children]));
    const arm = await plan(['docker.io/library/krill:1'], { platform: 'linux/arm64' });
    expect(digests(arm.manifests)).toEqual(digests([image.manifest, arm64.manifest]));
    const amd = await plan(['docker.io/library/krill:1'], { platform: 'amd64' });
    expect(digests(amd.manifests)).toEqual(
      digests([image.manifest, amd64.manifest, about.manifest]),
    );
    const all = await plan(['docker.io/library/krill:1'], { platform: 'all' });
    expect(lacksOf(all)).toEqual([
      {
        kind: 'missing',
        content: 'manifest',
        digest: missing.manifest.digest,
        platform: undefined,
      },
    ]);
  });

  it('takes the variant that a machine can run, and says what there is where there is none', async () => {
    const image = index(
      [forPlatform(amd64, 'arm', 'v6'), forPlatform(arm64, 'arm64', 'v8')],
      amd64,
      arm64,
    );
    await data.cache('docker.io/library/krill', '1', image);
    const v7 = await plan(['docker.io/library/krill:1'], { platform: 'linux/arm/v7' });
    expect(v7.images[0]?.platforms).toEqual(['linux/arm/v6']);
    const none = await plan(['docker.io/library/krill:1'], { platform: 'linux/s390x' });
    expect(lacksOf(none)).toEqual([
      { kind: 'not offered', platform: 'linux/s390x', offered: ['linux/arm/v6', 'linux/arm64'] },
    ]);
  });

  it('follows an index in an index', async () => {
    const inner = indexOf({ amd64, arm64 });
    const outer = index([descriptorOf(inner.manifest), descriptorOf(other.manifest)], inner, other);
    await data.cache('docker.io/library/krill', '1', outer);
    const { manifests, lacking } = await plan(['docker.io/library/krill:1']);
    expect(lacking).toEqual([]);
    expect(digests(manifests)).toEqual(digests([outer.manifest, ...outer.children]));
    const arm = await plan(['docker.io/library/krill:1'], { platform: 'linux/arm64' });
    expect(arm.lacking).toEqual([]);
    expect(digests(arm.manifests)).toContain(arm64.manifest.digest);
    // What says no platform in the index, its own config tells.
    expect(digests(arm.manifests)).not.toContain(other.manifest.digest);
  });

  it('says where nothing of an index is stored, and takes one that names nothing', async () => {
    const both = indexOf({ amd64, arm64 });
    const empty = index([]);
    await data.cache('docker.io/library/krill', '1', both, [amd64.manifest, arm64.blobs[1]!]);
    await data.cache('docker.io/library/empty', '1', empty);
    const { images, lacking } = await plan([
      'docker.io/library/krill:1',
      'docker.io/library/empty:1',
    ]);
    expect(images.map(({ name }) => name)).toEqual(['docker.io/library/empty:1']);
    expect(lacking).toEqual([
      {
        name: 'docker.io/library/krill:1',
        isHosted: false,
        isReferrer: false,
        lacks: [{ kind: 'no platform', offered: ['linux/amd64', 'linux/arm64'] }],
      },
    ]);
  });

  it('believes no file whose size or bytes are other than they should be', async () => {
    await data.cache('docker.io/library/a', '1', amd64);
    await data.cache('docker.io/library/b', '1', arm64);
    await flipBit(data.cached.blob(amd64.manifest.digest));
    await appendFile(data.cached.blob(arm64.blobs[1]!.digest), 'x');
    const damaged = (kind: string, { digest }: Content): object => ({
      kind: 'damaged',
      content: kind,
      digest,
      platform: undefined,
    });
    expect(lacksOf(await plan(['docker.io/library/a:1', 'docker.io/library/b:1']))).toEqual([
      damaged('manifest', amd64.manifest),
      damaged('blob', arm64.blobs[1]!),
    ]);
  });

  it('takes what cosign has put beside an image, and leaves such tags out of a repository', async () => {
    const signature = artifactOf(amd64.manifest, 'application/vnd.dev.cosign', 'signed');
    const tag = amd64.manifest.digest.replace(':', '-');
    await data.cache('docker.io/library/krill', '1', amd64);
    await data.cache('docker.io/library/krill', `${tag}.sig`, signature);
    const repository = 'docker.io/library/krill';
    const plain = await plan([repository]);
    expect(plain.images.map(({ name }) => name)).toEqual([`${repository}:1`]);
    const signed = await plan([`${repository}:1`], { referrers: true });
    expect(signed.images.map(({ name }) => name)).toEqual([
      `${repository}:1`,
      `${repository}:${tag}.sig`,
    ]);
    await rm(data.cached.blob(signature.manifest.digest));
    const lacking = await plan([`${repository}:1`], { referrers: true });
    expect(lacking.lacking).toMatchObject([{ name: `${repository}:1`, isReferrer: true }]);
  });

  it('takes what refers to something that was pushed', async () => {
    const sbom = artifactOf(amd64.manifest, 'application/spdx+json', 'what is in it');
    await data.push('local/app', '1', amd64);
    await data.referHosted('local/app', amd64.manifest.digest, sbom);
    const { referrers, manifests } = await plan(['local/app:1'], { referrers: true });
    expect(referrers).toMatchObject([
      { repository: 'local/app', subject: amd64.manifest.digest, digest: sbom.manifest.digest },
    ]);
    expect(digests(manifests)).toEqual(digests([amd64.manifest, sbom.manifest]));
  });

  it('takes of what was pushed only what belongs to its repository, whatever a manifest names', async () => {
    const [secret] = other.blobs;
    await data.push('local/secret', '1', other);
    const foreign = {
      ...descriptorOf(secret!),
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
      urls: ['https://example.test/layer'],
    };
    const document = JSON.parse(amd64.manifest.bytes.toString()) as { layers: object[] };
    const naming = (layer: object): Image => {
      const layers = [...document.layers, layer];
      const bytes = Buffer.from(JSON.stringify({ ...document, layers }));
      return { ...amd64, manifest: content(bytes, amd64.manifest.mediaType) };
    };
    await data.push('local/open', '1', naming(foreign));
    await data.push('local/open', '2', naming(descriptorOf(secret!)));
    await data.push('local/open', '3', index([forPlatform(other, 'amd64')]));
    const first = await plan(['local/open:1']);
    expect(first.lacking).toEqual([]);
    expect(first.blobs.map(({ digest }) => digest)).not.toContain(secret!.digest);
    for (const tag of ['2', '3']) {
      const { blobs, lacking } = await plan([`local/open:${tag}`]);
      expect(lacking).toHaveLength(1);
      expect(blobs.map(({ digest }) => digest)).not.toContain(secret!.digest);
    }
  });

  it('takes for hosted what a client would get from there, and never an official image', async () => {
    await data.push('krill', '1', amd64);
    await data.cache('docker.io/library/krill', '1', arm64);
    const { images } = await plan(['krill:1', 'library/krill:1', 'docker.io/krill:1']);
    expect(images.map(({ name, digest }) => [name, digest])).toEqual([
      ['docker.io/library/krill:1', arm64.manifest.digest],
      ['krill:1', amd64.manifest.digest],
    ]);
  });

  it('lists what is a manifest for one image and a layer for another once, as a manifest', async () => {
    const document = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: descriptorOf(amd64.blobs[0]!),
      layers: [descriptorOf(amd64.manifest)],
    };
    const wrapping: Image = {
      manifest: content(Buffer.from(JSON.stringify(document)), mediaTypes.ociManifest),
      children: [],
      blobs: [amd64.blobs[0]!, amd64.manifest],
    };
    await data.cache('docker.io/library/inner', '1', amd64);
    await data.cache('docker.io/library/outer', '1', wrapping);
    const { manifests, blobs } = await plan([
      'docker.io/library/inner:1',
      'docker.io/library/outer:1',
    ]);
    expect(digests(manifests)).toEqual(digests([amd64.manifest, wrapping.manifest]));
    expect(digests(blobs)).toEqual(digests(amd64.blobs));
  });
});
