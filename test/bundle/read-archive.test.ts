import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BundleIndex } from '../../src/bundle/bundle-index.ts';
import { signDigests } from '../../src/bundle/bundle-signature.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { blobName, bundleEntries, bundleOf } from '../support/bundle.ts';
import { dockerArchive, ociArchive } from '../support/image-archive.ts';
import { imageOf, indexOf, layerOf } from '../support/images.ts';
import { readInto, treeOf } from '../support/read-archive.ts';
import { tar, tarEntry, type TarEntry } from '../support/tar.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const large = layerOf(300_000, 1);
const image = indexOf({
  amd64: imageOf({ architecture: 'amd64' }, [large, layerOf(70_000, 2)]),
  arm64: imageOf({ architecture: 'arm64' }, [layerOf(5_000, 3)]),
});
const name = 'docker.io/library/krill:1';
const entries = (): TarEntry[] => bundleEntries([{ name, image }]);
const largePath = blobName(large.digest);

/** The entries of the bundle, one of them other than it was. */
function changed(path: string, change: (entry: TarEntry) => TarEntry | TarEntry[]): TarEntry[] {
  return entries().flatMap((entry) => (entry.path === path ? change(entry) : [entry]));
}

/** With more behind the entry of a blob. */
const withMore = (...more: TarEntry[]): Buffer =>
  tar(changed(largePath, (entry) => [entry, ...more]));

function flipped(bytes: Uint8Array | string | undefined): Buffer {
  const copy = Buffer.from(bytes as Uint8Array);
  copy[copy.length >> 1]! ^= 1;
  return copy;
}

function pax(records: Readonly<Record<string, string>>): TarEntry {
  const content = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`.length;
    let length = rest + 1;
    while (`${length}`.length + rest !== length) length = `${length}`.length + rest;
    return `${length} ${key}=${value}\n`;
  });
  return { path: 'PaxHeader', type: 'x', content: content.join('') };
}

function base256(size: bigint): Buffer {
  const field = Buffer.alloc(12);
  field.writeBigInt64BE(size, 4);
  field.writeUInt32BE(size < 0n ? 0xffffffff : 0x80000000, 0);
  return field;
}

const altered = (alter: (index: BundleIndex) => unknown): Buffer =>
  bundleOf([{ name, image }], { alter });

/** Blocks of an archive that goes on for ever. */
function* endless(front: Buffer, more: (at: number) => TarEntry): Generator<Buffer> {
  yield front;
  for (let at = 0; at < 10_000_000; at++) yield tarEntry(more(at));
}

const frontOnly = Buffer.concat(entries().map(tarEntry));

/** What is done to a bundle, and what is said about it. */
const tampered: readonly (readonly [string, () => Buffer | Iterable<Buffer>, RegExp])[] = [
  [
    'a flipped bit in a layer',
    () => tar(changed(largePath, (entry) => ({ ...entry, content: flipped(entry.content) }))),
    /the bytes of sha256:\w+ are damaged/,
  ],
  [
    'a flipped bit in a manifest',
    () =>
      tar(
        changed(blobName(image.manifest.digest), (entry) => ({
          ...entry,
          content: flipped(entry.content),
        })),
      ),
    /the bytes of sha256:\w+ are damaged/,
  ],
  [
    'a flipped bit in index.json',
    () => tar(changed('index.json', (entry) => ({ ...entry, content: flipped(entry.content) }))),
    /are damaged/,
  ],
  [
    'a flipped bit in baleen.json',
    () => tar(changed('baleen.json', (entry) => ({ ...entry, content: flipped(entry.content) }))),
    /baleen\.json/,
  ],
  [
    'a flipped bit in a header',
    () => {
      const bytes = tar(entries());
      bytes[2 * 1024 + 3]! ^= 1;
      return bytes;
    },
    /checksum|baleen\.json/,
  ],
  [
    'a missing layer',
    () => tar(changed(largePath, () => [])),
    new RegExp(`${large.digest} should be in it and is not`),
  ],
  [
    'a missing manifest',
    () => tar(changed(blobName(image.manifest.digest), () => [])),
    /does not belong there|should be in it/,
  ],
  [
    'an end in a layer',
    () => tar(entries()).subarray(0, -100_000),
    /ends after \d+ bytes, in a content: something is missing/,
  ],
  ['an end in a header', () => tar(entries()).subarray(0, -1024 - 6_000), /something is missing/],
  ['no end at all', () => tar(entries()).subarray(0, -1024), /ends after \d+ bytes, in a header/],
  ['half of its end', () => tar(entries()).subarray(0, -512), /at its end: something is missing/],
  [
    'something behind its end',
    () => Buffer.concat([tar(entries()), Buffer.from('x')]),
    /something behind the end/,
  ],
  [
    'a path that leads out of it',
    () => withMore({ path: '../../etc/passwd', content: 'x' }),
    /"\.\.\/\.\.\/etc\/passwd", which does not belong there/,
  ],
  [
    'an absolute path',
    () => withMore({ path: '/etc/passwd', content: 'x' }),
    /"\/etc\/passwd", which does not belong/,
  ],
  [
    'a path that leads out of it in a pax header',
    () => withMore(pax({ path: 'blobs/sha256/../../../x' }), { path: 'innocent', content: 'x' }),
    /which does not belong there/,
  ],
  [
    'a name with a NUL, a newline and a colour',
    () => withMore({ path: 'blobs\u0001\n\u001b[31m', content: 'x' }),
    /"blobs\\u0001\\n\\u001b\[31m", which does not belong there/,
  ],
  [
    'another way to write the path of a blob',
    () => tar(changed(largePath, (entry) => ({ ...entry, path: `./${entry.path}` }))),
    /which does not belong there/,
  ],
  [
    'a symbolic link in place of a layer',
    () => tar(changed(largePath, ({ path }) => ({ path, link: '/etc/passwd' }))),
    /is a symbolic link/,
  ],
  [
    'a hard link in place of a layer',
    () => tar(changed(largePath, ({ path }) => ({ path, link: '/etc/passwd', type: '1' }))),
    /is a hard link/,
  ],
  [
    'a character device in place of a layer',
    () => tar(changed(largePath, ({ path }) => ({ path, type: '3' }))),
    /is a character device/,
  ],
  [
    'a block device in place of a layer',
    () => tar(changed(largePath, ({ path }) => ({ path, type: '4' }))),
    /is a block device/,
  ],
  [
    'a fifo in place of a layer',
    () => tar(changed(largePath, ({ path }) => ({ path, type: '6' }))),
    /is a fifo/,
  ],
  [
    'a folder in place of a layer',
    () => tar(changed(largePath, ({ path }) => ({ path, type: '5' }))),
    /which does not belong there/,
  ],
  [
    'a sparse file in place of a layer',
    () => tar(changed(largePath, (entry) => ({ ...entry, type: 'S' }))),
    /unknown/,
  ],
  [
    'a layer twice',
    () => tar(changed(largePath, (entry) => [entry, entry])),
    new RegExp(`it holds ${large.digest} twice`),
  ],
  [
    'a file of which its index says nothing',
    () => withMore({ path: blobName(layerOf(10, 9).digest), content: layerOf(10, 9).bytes }),
    /which does not belong there/,
  ],
  [
    'baleen.json twice',
    () => tar(changed('baleen.json', (entry) => [entry, entry])),
    /index\.json should come next/,
  ],
  [
    'a layer that is longer than its index says',
    () =>
      tar(
        changed(largePath, (entry) => ({
          ...entry,
          content: Buffer.concat([entry.content as Buffer, Buffer.alloc(1)]),
        })),
      ),
    /has 300001 bytes in the archive, and 300000 by baleen\.json/,
  ],
  [
    'a header that says less than there is',
    () => tar(changed(largePath, (entry) => ({ ...entry, size: 299_000 }))),
    /has 299000 bytes in the archive, and 300000/,
  ],
  [
    'a size in a pax header',
    () => tar(changed(largePath, (entry) => [pax({ size: '7' }), entry])),
    /has 7 bytes in the archive/,
  ],
  [
    'a size in a pax header that is negative',
    () => tar(changed(largePath, (entry) => [pax({ size: '-7' }), entry])),
    /size that is no number/,
  ],
  [
    'a size in binary that is negative',
    () => tar(changed(largePath, (entry) => ({ ...entry, size: base256(-5n) }))),
    /negative or beyond all measure/,
  ],
  [
    'a size in binary beyond all measure',
    () => tar(changed(largePath, (entry) => ({ ...entry, size: base256(2n ** 62n) }))),
    /beyond all measure/,
  ],
  [
    'a size that is no number',
    () => tar(changed(largePath, (entry) => ({ ...entry, size: Buffer.from('-0000001234\0') }))),
    /a size that is no number/,
  ],
  [
    'a pax header of a megabyte',
    () => withMore({ path: 'PaxHeader', type: 'x', content: Buffer.alloc(1_000_000, 0x20) }),
    /a pax header of 1000000 bytes/,
  ],
  [
    'a pax header for all entries',
    () => withMore({ ...pax({ path: 'x' }), type: 'g' }),
    /a pax header with path/,
  ],
  [
    'a long name without end',
    () => withMore({ path: '././@LongLink', type: 'L', content: Buffer.alloc(1_000_000, 0x61) }),
    /a long name of 1000000 bytes/,
  ],
  [
    'nothing but headers',
    () => withMore(...Array.from({ length: 20 }, () => pax({ comment: 'x' }))),
    /more than 8 headers for one entry/,
  ],
  [
    'ten million entries',
    () =>
      endless(frontOnly, (at) => ({
        path: `blobs/sha256/${String(at).padStart(64, '0')}`,
        content: '',
      })),
    /which does not belong there/,
  ],
  [
    'ten million entries and no index',
    () => endless(Buffer.alloc(0), (at) => ({ path: `x${at}`, content: '' })),
    /more than 20000 entries/,
  ],
  [
    'nothing but zeros behind it, without end',
    () => zeros(tar(entries())),
    /something behind the end/,
  ],
  [
    'an index that lists a blob that no image needs',
    () =>
      altered((index) => ({
        ...index,
        blobs: [...index.blobs, { digest: `sha256:${'f'.repeat(64)}`, size: 3, included: false }],
      })),
    /ffff, which no image of it needs/,
  ],
  [
    'an index that lists a manifest as a blob',
    () =>
      altered((index) => ({
        ...index,
        blobs: [
          ...index.blobs,
          { ...index.manifests[0], included: true, mediaType: undefined },
        ].toSorted((a, b) => (a.digest! < b.digest! ? -1 : 1)),
      })),
    /baleen\.json/,
  ],
  [
    'an index that leaves a layer out',
    () =>
      altered((index) => ({
        ...index,
        blobs: index.blobs.filter(({ digest }) => digest !== large.digest),
      })),
    /of which baleen\.json says nothing/,
  ],
  [
    'an index with another size than the manifest',
    () =>
      altered((index) => ({
        ...index,
        blobs: index.blobs.map((blob) =>
          blob.digest === large.digest ? { ...blob, size: 3 } : blob,
        ),
      })),
    /different sizes/,
  ],
  [
    'an index of another version',
    () => altered((index) => ({ ...index, version: 2 })),
    /version 2 is not known/,
  ],
  [
    'an index of a thousand levels',
    () => tar(changed('baleen.json', (entry) => ({ ...entry, content: '['.repeat(100_000) }))),
    /not JSON|is no object/,
  ],
  [
    'an oci-layout of another version',
    () =>
      tar(changed('oci-layout', (entry) => ({ ...entry, content: '{"imageLayoutVersion":"2"}' }))),
    /oci-layout is of no version/,
  ],
  ['gzip that breaks off', () => gzipSync(tar(entries())).subarray(0, -1000), /cannot be unpacked/],
  [
    'zstd that breaks off',
    () => zstdCompressSync(tar(entries())).subarray(0, -1000),
    /cannot be unpacked|something is missing/,
  ],
  [
    'gzip with a flipped bit',
    () => flipped(gzipSync(tar(entries()))),
    /cannot be unpacked|damaged|checksum/,
  ],
  [
    'a bomb of gzip',
    () => gzipSync(Buffer.concat([tar(entries()), Buffer.alloc(64 * 1024 * 1024)])),
    /something behind the end/,
  ],
  [
    'a bomb of zstd in a layer',
    () =>
      zstdCompressSync(
        Buffer.concat([
          tarEntry({ path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' }),
          tarEntry({ path: 'baleen.json', content: '', size: 2 ** 32 }),
          Buffer.alloc(64 * 1024 * 1024),
        ]),
      ),
    /4294967296 bytes where \d+ may be/,
  ],
  ['no archive at all', () => Buffer.from('<!doctype html>'.repeat(100)), /checksum/],
  ['an empty file', () => Buffer.alloc(0), /ends after 0 bytes/],
  ['an archive of nothing', () => tar([]), /neither a bundle of Baleen/],
];

/** Zeros for ever. */
function* zeros(front: Buffer): Generator<Buffer> {
  yield front;
  for (;;) yield Buffer.alloc(65_536);
}

describe('reading an archive', () => {
  let folder: TempDir;
  let root: string;
  beforeEach(async () => {
    folder = tempDir('root');
    root = join(folder.path, 'v1');
    await mkdir(join(root, 'blobs'), { recursive: true });
    await writeFile(join(root, 'blobs', 'one'), 'what was there');
  });
  afterEach(async () => {
    await folder[Symbol.asyncDispose]();
  });

  it('lays down all of a bundle, and says which images it holds', async () => {
    const read = await readInto(root, bundleOf([{ name, image }]));
    read.release();
    expect(read).toMatchObject({ kind: 'bundle', index: { images: [{ name }] } });
    const staged = await treeOf(join(root, 'imports', read.staged));
    for (const { digest } of [image.manifest, ...image.children, ...image.blobs]) {
      expect(staged).toContain(`${digest.replace(':', '-')} ${digest}`);
    }
    await read.discard();
    expect(await treeOf(root)).toEqual(['blobs/', expect.stringMatching(/^blobs\/one /)]);
  });

  it.each(tampered)('refuses %s, and leaves everything as it was', async (_what, make, message) => {
    const before = await treeOf(root);
    const refused = await readInto(root, make()).then(
      () => undefined,
      (error: unknown) => error as RegistryError,
    );
    expect(refused).toBeInstanceOf(RegistryError);
    expect(refused).toMatchObject({
      code: 'BUNDLE_INVALID',
      message: expect.stringMatching(message),
    });
    expect(refused?.message).not.toContain('\n');
    expect(await treeOf(root)).toEqual(before);
  });

  it('reads nothing of a bundle behind what is refused', async () => {
    let taken = 0;
    const counted = function* (): Generator<Buffer> {
      for (const chunk of endless(frontOnly, () => ({ path: 'surplus', content: '' }))) {
        taken += chunk.length;
        yield chunk;
      }
    };
    await expect(readInto(root, counted())).rejects.toThrow(/surplus/);
    expect(taken).toBeLessThan(frontOnly.length + 1024 * 1024);
  });

  it('refuses a bundle that needs what neither it nor the store has, names it and the image, before it reads a blob', async () => {
    const before = await treeOf(root);
    const bundle = bundleOf([{ name, image }], { without: new Set([large.digest]) });
    const bytes: number[] = [];
    const refused = readInto(root, bundle, { onBytes: (count) => bytes.push(count) });
    await expect(refused).rejects.toMatchObject({ code: 'BUNDLE_INCOMPLETE' });
    await expect(refused).rejects.toThrow(
      new RegExp(`${large.digest} \\(needed by docker.io/library/krill:1\\)`),
    );
    const manifests = [image.manifest, ...image.children];
    expect(bytes.reduce((sum, count) => sum + count, 0)).toBe(
      manifests.reduce((sum, content) => sum + content.bytes.length, 0),
    );
    expect(await treeOf(root)).toEqual(before);
  });

  it('takes a bundle that leaves out what the store has', async () => {
    const bundle = bundleOf([{ name, image }], { without: new Set([large.digest]) });
    const isStored = (digest: string): Promise<boolean> => Promise.resolve(digest === large.digest);
    const read = await readInto(root, bundle, { isStored });
    read.release();
    expect(read.fresh.map(({ digest }) => digest)).not.toContain(large.digest);
    const staged = await treeOf(join(root, 'imports', read.staged));
    expect(staged.some((line) => line.startsWith(large.digest.replace(':', '-')))).toBe(false);
  });

  it('goes on where it was broken off: what is laid down is not written again', async () => {
    const bundle = bundleOf([{ name, image }]);
    // The source fails as a stick does that is pulled out.
    const broken = function* (): Generator<Buffer> {
      yield bundle.subarray(0, -80_000);
      throw Object.assign(new Error('no such device'), { code: 'EIO' });
    };
    await expect(readInto(root, broken())).rejects.toThrow('no such device');
    const laid = (await treeOf(join(root, 'imports'))).filter((line) => /sha256-\w+ /.test(line));
    expect(laid.length).toBeGreaterThan(3);
    let written = 0;
    const read = await readInto(root, bundle, { onBytes: (_read, count) => (written += count) });
    read.release();
    const all = image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(written).toBeLessThan(all);
    expect(written).toBeGreaterThan(0);
  });

  it('looks at a bundle and keeps nothing', async () => {
    const before = await treeOf(root);
    const read = await readInto(root, bundleOf([{ name, image }]), { isDryRun: true });
    expect(read.fresh).toHaveLength(8);
    expect(await treeOf(root)).toEqual(before);
    const damaged = tar(
      changed(largePath, (entry) => ({ ...entry, content: flipped(entry.content) })),
    );
    await expect(readInto(root, damaged, { isDryRun: true })).rejects.toThrow(/damaged/);
  });

  it('refuses a bundle for which there is no room before it reads a blob', async () => {
    const before = await treeOf(root);
    let wanted = 0;
    const refused = readInto(root, bundleOf([{ name, image }]), {
      assertRoom: (_index, _graph, bytes) => {
        wanted = bytes;
        return Promise.reject(new RegistryError('UNAVAILABLE', 'full'));
      },
    });
    await expect(refused).rejects.toThrow('full');
    expect(wanted).toBeGreaterThan(375_000);
    expect(await treeOf(root)).toEqual(before);
  });

  it('refuses an image that nobody could pull under its name, and says what is missing', async () => {
    const bundle = bundleOf([{ name: 'quay.io/org/krill:1', image }]);
    await expect(readInto(root, bundle)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await expect(readInto(root, bundle)).rejects.toThrow(/no "quay\.io" among the upstreams/);
  });

  it('refuses a second import of the same file at the same time', async () => {
    const read = await readInto(root, bundleOf([{ name, image }]));
    const second = readInto(root, bundleOf([{ name, image }]));
    await expect(second).rejects.toThrow('this very file is being imported');
    read.release();
  });

  describe('that is signed', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const other = generateKeyPairSync('ed25519');
    const signed = (key = privateKey): Buffer => bundleOf([{ name, image }], { key });
    const trust = { keys: [], required: [[publicKey]] };
    const replaced = (path: string, content: Buffer | string): Buffer =>
      tar(
        bundleEntries([{ name, image }], { key: privateKey }).map((entry) =>
          entry.path === path ? { ...entry, content } : entry,
        ),
      );
    const untrusted: readonly (readonly [string, () => Buffer, RegExp])[] = [
      ['no signature', () => tar(entries()), /this bundle carries none/],
      ["a stranger's signature", () => signed(other.privateKey), /a key that is not trusted here/],
      [
        'a signature of something else',
        () => replaced('baleen.sig', signDigests(Buffer.from('{}'), privateKey)),
        /its signature does not fit/,
      ],
      ['an OCI archive', () => ociArchive(image, name), /this archive can carry none/],
      ['what docker save writes', () => dockerArchive(image, name), /this archive can carry none/],
    ];

    it('takes what a trusted key has signed', async () => {
      const read = await readInto(root, signed(), { trust });
      read.release();
      expect(read.signedBy).toMatch(/^sha256:/);
    });

    it.each(untrusted)(
      'refuses %s where a signature is insisted on',
      async (_what, make, message) => {
        const before = await treeOf(root);
        const refused = readInto(root, make(), { trust });
        await expect(refused).rejects.toMatchObject({ code: 'BUNDLE_UNTRUSTED' });
        await expect(refused).rejects.toThrow(message);
        expect(await treeOf(root)).toEqual(before);
      },
    );

    it('refuses a signature that is none, or of another algorithm', async () => {
      const signature = JSON.parse(signDigests(Buffer.from('{}'), privateKey).toString()) as object;
      for (const wrong of ['x', JSON.stringify({ ...signature, algorithm: 'none' }), '{}']) {
        const refused = readInto(root, replaced('baleen.sig', wrong), { trust });
        await expect(refused).rejects.toThrow('baleen.sig is not right');
      }
    });

    it('refuses a wrong signature of a known key also where none is insisted on', async () => {
      const wrong = replaced('baleen.sig', signDigests(Buffer.from('{}'), privateKey));
      const refused = readInto(root, wrong, { trust: { keys: [publicKey], required: [] } });
      await expect(refused).rejects.toThrow('its signature does not fit');
    });

    it('wants a signature of each set of keys that is insisted on', async () => {
      const both = { keys: [], required: [[publicKey, other.publicKey], [other.publicKey]] };
      await expect(readInto(root, signed(), { trust: both })).rejects.toThrow('not trusted here');
      (await readInto(root, signed(other.privateKey), { trust: both })).release();
    });
  });
});
