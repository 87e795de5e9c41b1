import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { blobName } from '../support/bundle.ts';
import {
  artifactOf,
  content,
  descriptorOf,
  imageOf,
  indexOf,
  layerOf,
  type Content,
  type Image,
} from '../support/images.ts';
import { readInto, treeOf } from '../support/read-archive.ts';
import { tar, type TarEntry } from '../support/tar.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const image = indexOf({
  amd64: imageOf({ architecture: 'amd64' }, [layerOf(5_000_000, 1)]),
  arm64: imageOf({ architecture: 'arm64' }, [layerOf(5_000, 2)]),
});

const file = ({ digest, bytes }: Content): TarEntry => ({ path: blobName(digest), content: bytes });
const filesOf = ({ manifest, children, blobs }: Image): TarEntry[] =>
  [manifest, ...children, ...blobs].map(file);
const layoutFile = { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' };
const indexFile = (...manifests: object[]): TarEntry => ({
  path: 'index.json',
  content: JSON.stringify({ schemaVersion: 2, manifests }),
});
const named = (of: Image, name: string): object => ({
  ...descriptorOf(of.manifest),
  annotations: { 'org.opencontainers.image.ref.name': name },
});
const krill = named(image, 'ghcr.io/org/krill:1');

/** What `docker save` writes: an image of two layers, its first one shared by a link as older versions do. */
const layers = [tar([{ path: 'a', content: 'one' }]), tar([{ path: 'b', content: 'two' }])];
const config = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => digestOf(layer)) },
  }),
);
const saved = (change: Record<string, unknown> = {}): TarEntry => ({
  path: 'manifest.json',
  content: JSON.stringify([
    {
      Config: 'config.json',
      RepoTags: ['ghcr.io/org/saved:1'],
      Layers: ['one/layer.tar', 'two/layer.tar'],
      ...change,
    },
  ]),
});
const savedFiles = (): TarEntry[] => [
  { path: 'one' },
  { path: 'one/VERSION', content: '1.0' },
  { path: 'one/layer.tar', link: '../first.tar' },
  { path: 'first.tar', content: layers[0]! },
  { path: 'two/layer.tar', content: layers[1]! },
  { path: 'config.json', content: config },
];

describe('an archive that others have written', () => {
  let folder: TempDir;
  let root: string;
  beforeEach(async () => {
    folder = tempDir('root');
    root = join(folder.path, 'v1');
    await mkdir(root);
  });
  afterEach(async () => {
    await folder[Symbol.asyncDispose]();
  });

  it('may say at its end what is in it, and holds the platforms that are there', async () => {
    const [amd64] = image.children;
    const some = filesOf(image).filter(({ path }) => path !== blobName(image.children[1]!.digest));
    const extra = layerOf(100, 9);
    const read = await readInto(root, tar([...some, file(extra), layoutFile, indexFile(krill)]));
    read.release();
    expect(read).toMatchObject({
      kind: 'oci',
      index: { images: [{ name: 'ghcr.io/org/krill:1', platforms: ['linux/amd64'] }] },
    });
    expect(read.index.manifests.map(({ digest }) => digest).toSorted()).toEqual(
      [image.manifest.digest, amd64!.digest].toSorted(),
    );
    // What nothing names is not kept.
    const staged = await treeOf(join(root, 'imports', read.staged));
    expect(staged.some((line) => line.includes(extra.digest.slice(7)))).toBe(false);
  });

  it('brings along what refers to its images, under their repositories', async () => {
    const signature = artifactOf(image.manifest, 'application/vnd.example.signature', 'signed');
    const attached = {
      ...descriptorOf(signature.manifest),
      artifactType: 'application/vnd.example.signature',
    };
    const bytes = tar([
      layoutFile,
      ...filesOf(image),
      ...filesOf(signature),
      indexFile(attached, krill),
    ]);
    const read = await readInto(root, bytes);
    read.release();
    expect(read.index.referrers).toMatchObject([
      {
        repository: 'ghcr.io/org/krill',
        subject: image.manifest.digest,
        digest: signature.manifest.digest,
      },
    ]);
  });

  it('gets the name that was given where it has none, or only a tag', async () => {
    const tagged = tar([layoutFile, ...filesOf(image), indexFile(named(image, '3.20'))]);
    await expect(readInto(root, tagged)).rejects.toThrow(
      /only called "3\.20": say what it is with --name/,
    );
    const read = await readInto(root, tagged, { name: 'ghcr.io/org/krill' });
    read.release();
    expect(read.index.images).toMatchObject([{ name: 'ghcr.io/org/krill:3.20' }]);
    const whole = tar([layoutFile, ...filesOf(image), indexFile(krill)]);
    await expect(readInto(root, whole, { name: 'x:1' })).rejects.toThrow(/leave --name out/);
  });

  it('gets the same manifest each time where docker save has none, its layers as they are', async () => {
    const reads = [];
    for (const bytes of [tar([...savedFiles(), saved()]), tar([saved(), ...savedFiles()])]) {
      const read = await readInto(root, bytes);
      read.release();
      reads.push(read);
    }
    const [one, two] = reads;
    expect(one?.kind).toBe('docker');
    expect(one?.index.images).toEqual(two?.index.images);
    expect(one?.index.blobs.map(({ digest }) => digest)).toEqual(
      [digestOf(config), ...layers.map((layer) => digestOf(layer))].toSorted(),
    );
  });

  it('keeps layers packed that were saved so', async () => {
    const packed = savedFiles().map((entry) =>
      entry.path === 'first.tar' ? { ...entry, content: gzipSync(layers[0]!) } : entry,
    );
    const read = await readInto(root, tar([...packed, saved()]));
    read.release();
    const [blob] = read.index.blobs.filter(
      ({ digest }) => digest === digestOf(gzipSync(layers[0]!)),
    );
    expect(blob?.included).toBe(true);
  });

  const whole = (): TarEntry[] => [layoutFile, ...filesOf(image), indexFile(krill)];
  const flipped = (entry: TarEntry): TarEntry => {
    const bytes = Buffer.from(entry.content as Buffer);
    bytes[bytes.length >> 1]! ^= 1;
    return { ...entry, content: bytes };
  };
  const large = blobName(image.blobs.find(({ bytes }) => bytes.length === 5_000_000)!.digest);
  const lying = content(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config: { ...descriptorOf(layerOf(10, 5)), size: 11 },
        layers: [],
      }),
    ),
    'application/vnd.oci.image.manifest.v1+json',
  );
  const tampered: readonly (readonly [string, () => Buffer, string, RegExp])[] = [
    [
      'a flipped bit in a layer',
      () => tar(whole().map((entry) => (entry.path === large ? flipped(entry) : entry))),
      'BUNDLE_INVALID',
      /are damaged/,
    ],
    [
      'a missing layer',
      () => tar(whole().filter(({ path }) => path !== large)),
      'BUNDLE_INCOMPLETE',
      /neither in it nor stored here/,
    ],
    [
      'a missing manifest',
      () => tar(whole().filter(({ path }) => path !== blobName(image.manifest.digest))),
      'BUNDLE_INVALID',
      /should be in it and is not/,
    ],
    ['a layer twice', () => tar([...whole(), file(image.blobs[0]!)]), 'BUNDLE_INVALID', /twice/],
    [
      'a path that leads out of it',
      () => tar([...whole(), { path: '../evil', content: 'x' }]),
      'BUNDLE_INVALID',
      /no path inside it/,
    ],
    [
      'an absolute path',
      () => tar([...whole(), { path: '/evil', content: 'x' }]),
      'BUNDLE_INVALID',
      /no path inside it/,
    ],
    [
      'a path of a hundred levels',
      () => tar([...whole(), { path: 'a/'.repeat(40) + 'x', content: 'x' }]),
      'BUNDLE_INVALID',
      /no path inside it/,
    ],
    [
      'a link in an OCI archive',
      () => tar([...whole(), { path: 'x', link: 'index.json' }]),
      'BUNDLE_INVALID',
      /"x" is a link/,
    ],
    [
      'a device',
      () => tar([...whole(), { path: 'x', type: '3' }]),
      'BUNDLE_INVALID',
      /"x" is a character device/,
    ],
    [
      'a fifo',
      () => tar([...whole(), { path: 'x', type: '6' }]),
      'BUNDLE_INVALID',
      /"x" is a fifo/,
    ],
    [
      'another name of a blob',
      () => tar([...whole(), { path: 'blobs/sha256/xyz', content: 'x' }]),
      'BUNDLE_INVALID',
      /no name of a blob/,
    ],
    [
      'a manifest that lies about a size',
      () =>
        tar([
          layoutFile,
          file(lying),
          file(layerOf(10, 5)),
          indexFile({
            ...descriptorOf(lying),
            annotations: { 'org.opencontainers.image.ref.name': 'ghcr.io/org/x:1' },
          }),
        ]),
      'BUNDLE_INVALID',
      /another size than its manifest says/,
    ],
    [
      'a link out of what docker save writes',
      () => tar([...savedFiles(), { path: 'x/layer.tar', link: '../../etc/passwd' }, saved()]),
      'BUNDLE_INVALID',
      /leads out of it/,
    ],
    [
      'an absolute link in what docker save writes',
      () => tar([...savedFiles(), { path: 'x/layer.tar', link: '/etc/passwd' }, saved()]),
      'BUNDLE_INVALID',
      /leads out of it/,
    ],
    [
      'a link in what docker save writes that leads nowhere',
      () => tar([...savedFiles().filter(({ path }) => path !== 'first.tar'), saved()]),
      'BUNDLE_INVALID',
      /"one\/layer\.tar" should be in it/,
    ],
    [
      'a damaged layer in what docker save writes',
      () =>
        tar([
          ...savedFiles().map((entry) => (entry.path === 'first.tar' ? flipped(entry) : entry)),
          saved(),
        ]),
      'BUNDLE_INVALID',
      /a layer is damaged/,
    ],
    [
      'a layer too few in what docker save writes',
      () => tar([...savedFiles(), saved({ Layers: ['two/layer.tar'] })]),
      'BUNDLE_INVALID',
      /for 2 layers, and there are 1/,
    ],
    [
      'a manifest.json that is none',
      () => tar([...savedFiles(), saved({ Layers: 'x' })]),
      'BUNDLE_INVALID',
      /manifest\.json is malformed/,
    ],
    [
      'no index.json and no manifest.json',
      () => tar(savedFiles()),
      'BUNDLE_INVALID',
      /neither a bundle of Baleen/,
    ],
  ];

  it.each(tampered)(
    'is refused with %s, and leaves nothing behind',
    async (_what, make, code, message) => {
      const refused = readInto(root, make());
      await expect(refused).rejects.toMatchObject({ code });
      await expect(refused).rejects.toThrow(message);
      expect(await treeOf(root)).toEqual([]);
    },
  );

  it('needs no layer that is stored already', async () => {
    const stored = image.blobs.find(({ bytes }) => bytes.length === 5_000_000)!.digest;
    const bytes = tar(whole().filter(({ path }) => path !== large));
    const read = await readInto(root, bytes, {
      isStored: (digest: Digest) => Promise.resolve(digest === stored),
    });
    read.release();
    expect(read.fresh.map(({ digest }) => digest)).not.toContain(stored);
  });
});
