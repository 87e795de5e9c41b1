import {
  mkdir,
  mkdtempDisposable,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { removeFile } from '../../src/lib/atomic-file.ts';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import { Pace } from '../../src/lib/pace.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { walkBlobFiles } from '../../src/store/blob-files.ts';
import { ContentCutShort, isDamage } from '../../src/store/damage.ts';
import { DiskBlobStore } from '../../src/store/disk-blob-store.ts';
import { Layout } from '../../src/store/layout.ts';
import { findLeftovers, removeLeftovers } from '../../src/store/leftovers.ts';
import { Quarantine } from '../../src/store/quarantine.ts';
import { fileId } from '../../src/store/file-id.ts';
import { verifyBlob, type BlobVerdict } from '../../src/store/verification.ts';
import { noLimit } from '../support/scaffold.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

let folder: TempDir;
let layout: Layout;
beforeEach(() => {
  folder = tempDir('store');
  layout = new Layout(folder.path);
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const { signal } = new AbortController();
const bytes = Buffer.alloc(700_000, 'abc');
const digest = digestOf(bytes);

async function store(name: Digest, content: Buffer): Promise<string> {
  const path = layout.blob(name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

function verify(
  path: string,
  onBytes: (count: number) => void = () => undefined,
): Promise<BlobVerdict> {
  return verifyBlob(path, digest, { pace: new Pace(Infinity), onBytes, signal });
}

describe('the verification of a blob', () => {
  it('tells right bytes from wrong ones and from missing ones', async () => {
    let read = 0;
    const path = await store(digest, bytes);
    expect(await verify(path, (count) => (read += count))).toEqual({ kind: 'good', size: 700_000 });
    expect(read).toBe(700_000);
    await store(digest, bytes.subarray(1));
    const actual = digestOf(bytes.subarray(1));
    expect(await verify(path)).toMatchObject({ kind: 'wrong', size: 699_999, actual });
    await rm(path);
    expect(await verify(path)).toEqual({ kind: 'gone' });
    await mkdir(path);
    expect(await verify(path)).toMatchObject({ kind: 'damaged' });
  });

  it('does not mind a blob that is replaced while it is read', async () => {
    const path = await store(digest, bytes.subarray(1));
    await writeFile(`${path}.new`, bytes);
    let replaced: Promise<void> | undefined;
    const verdict = verify(path, () => void (replaced ??= rename(`${path}.new`, path)));
    expect(await verdict).toEqual({ kind: 'gone' });
    await replaced;
    expect(await verify(path)).toMatchObject({ kind: 'good' });
  });

  it('ends with its signal', async () => {
    const path = await store(digest, bytes);
    const gone = new Error('gone');
    const options = { pace: new Pace(1), onBytes: () => undefined };
    const stopping = new AbortController();
    const verdict = verifyBlob(path, digest, { ...options, signal: stopping.signal });
    stopping.abort(gone);
    await expect(verdict).rejects.toBe(gone);
  });

  it.each([
    [Object.assign(new Error(), { code: 'EIO' }), true],
    [new ContentCutShort(), true],
    [Object.assign(new Error(), { code: 'EACCES' }), false],
    [Object.assign(new Error(), { code: 'EMFILE' }), false],
    [new Error('socket'), false],
    [undefined, false],
  ])('takes %p for damage: %p', (error, expected) => {
    expect(isDamage(error)).toBe(expected);
  });
});

describe('the walk through the blobs', () => {
  it('finds blobs and what does not belong there, in order, and goes on where it was', async () => {
    const digests = ['1', '2', '3', '4', '5'].map((text) => digestOf(Buffer.from(text)));
    for (const each of digests) await store(each, bytes);
    await store(digestOf(bytes, 'sha512'), bytes);
    await writeFile(join(layout.blobs, 'notes'), '');
    await writeFile(join(layout.blobs, 'sha256', 'notes'), '');
    const misplaced = join(layout.blobs, 'sha256', '00', digests[0]!.slice(7));
    await mkdir(dirname(misplaced), { recursive: true });
    await writeFile(misplaced, '');
    const all: string[] = [];
    const foreign: string[] = [];
    for await (const file of walkBlobFiles(layout.blobs)) {
      all.push(file.name);
      if (file.digest === undefined) foreign.push(file.name);
    }
    expect(all).toHaveLength(9);
    expect(foreign.toSorted()).toEqual(
      [`sha256/00/${digests[0]!.slice(7)}`, 'sha256/notes', 'notes'].toSorted(),
    );
    for (const [index, name] of all.entries()) {
      const rest: string[] = [];
      for await (const file of walkBlobFiles(layout.blobs, name)) rest.push(file.name);
      expect(rest).toEqual(all.slice(index + 1));
    }
  });

  it('finds nothing where there is no folder', async () => {
    for await (const file of walkBlobFiles(layout.blobs)) expect(file).toBeUndefined();
  });
});

describe('the quarantine', () => {
  const quarantine = (limit: number): Quarantine =>
    new Quarantine({ layout, limit, remove: (each) => removeFile(layout.blob(each)) });

  it('never takes what comes into the place of a wrong blob at the last moment', async () => {
    const pool = new BufferPool(1_000_000);
    const blobs = await DiskBlobStore.open({ layout, pool, eviction: noLimit });
    const path = await store(digest, bytes.subarray(1));
    const wrong = await fileId(path);
    const reader = await blobs.open(digest);
    const place = new Quarantine({
      layout,
      limit: 1_000_000,
      remove: async (each, only) => {
        // The same blob comes again between the look at the wrong one and its removal.
        const again = join(folder.path, 'again');
        await writeFile(again, bytes);
        await blobs.adopt(each, again, bytes.length);
        return blobs.delete(each, only);
      },
    });
    expect(await place.takeBlob(digest, wrong)).toBe(false);
    expect(await verify(path)).toMatchObject({ kind: 'good' });
    expect(await readdir(place.folder)).toEqual([]);
    // Who comes now does not read along in the wrong file.
    const other = await blobs.open(digest);
    expect([reader?.size, other?.size]).toEqual([bytes.length - 1, bytes.length]);
    reader?.close();
    other?.close();
    await blobs.close();
  });

  it('takes a wrong blob out of the store and keeps it', async () => {
    const path = await store(digest, bytes);
    const place = quarantine(1_000_000);
    expect(await place.takeBlob(digest, await fileId(path))).toBe(true);
    expect(await fileId(path)).toBeUndefined();
    expect(await readdir(place.folder)).toEqual([expect.stringMatching(/Z_sha256-[0-9a-f]{64}$/)]);
    expect(await place.takeBlob(digest)).toBe(false);
  });

  it('leaves alone what has come in its place', async () => {
    const path = await store(digest, bytes.subarray(1));
    const wrong = await fileId(path);
    await writeFile(`${path}.new`, bytes);
    await rename(`${path}.new`, path);
    const place = quarantine(1_000_000);
    expect(await place.takeBlob(digest, wrong)).toBe(false);
    expect(await verify(path)).toMatchObject({ kind: 'good' });
    expect(await readdir(place.folder)).toEqual([]);
  });

  it('takes a wrong blob out of the store also where it cannot keep it', async () => {
    const path = await store(digest, bytes);
    const place = quarantine(1_000_000);
    await writeFile(place.folder, 'no folder');
    expect(await place.takeBlob(digest, '0:0')).toBe(false);
    expect(await place.takeBlob(digest, await fileId(path))).toBe(true);
    expect(await fileId(path)).toBeUndefined();
    expect(await place.takeBlob(digest)).toBe(false);
  });

  it('copies a wrong blob where it cannot be linked and nothing may be lost', async () => {
    await using elsewhere = await mkdtempDisposable('/dev/shm/baleen-quarantine-');
    const path = await store(digest, bytes);
    const place = quarantine(Infinity);
    // No file has names on two file systems.
    await symlink(elsewhere.path, place.folder);
    expect(await place.takeBlob(digest, '0:0')).toBe(false);
    expect(await readdir(place.folder)).toEqual([]);
    expect(await place.takeBlob(digest, await fileId(path))).toBe(true);
    expect(await fileId(path)).toBeUndefined();
    const [kept] = await readdir(place.folder);
    expect(await readFile(join(place.folder, kept!))).toEqual(bytes);
  });

  it('leaves a wrong blob where it is if it cannot be kept and nothing may be lost', async () => {
    const path = await store(digest, bytes);
    const place = quarantine(Infinity);
    await writeFile(place.folder, 'no folder');
    await expect(place.takeBlob(digest, await fileId(path))).rejects.toThrow();
    expect(await verify(path)).toMatchObject({ kind: 'good' });
  });

  it('keeps the newest, as far as there is room', async () => {
    const place = quarantine(1_500);
    for (const name of ['a', 'b', 'c']) {
      const path = join(folder.path, name);
      await writeFile(path, Buffer.alloc(700));
      expect(await place.takeFile(path)).toBe(true);
    }
    expect((await readdir(place.folder)).map((name) => name.at(-1))).toEqual(['b', 'c']);
    await writeFile(join(folder.path, 'huge'), Buffer.alloc(2_000));
    expect(await place.takeFile(join(folder.path, 'huge'))).toBe(true);
    expect((await readdir(place.folder)).map((name) => name.at(-1))).toEqual(['b', 'c']);
    expect(await place.takeFile(join(folder.path, 'missing'))).toBe(false);
    await store(digest, bytes);
    expect(await quarantine(0).takeBlob(digest)).toBe(true);
    expect(await readdir(place.folder)).toEqual([]);
  });
});

describe('what a crash left behind', () => {
  it('is what nobody has touched for a while: half-written files, downloads without data', async () => {
    const at = (name: string): string => join(layout.root, name);
    await mkdir(at('tmp'), { recursive: true });
    for (const name of ['empty', 'begun', 'growing']) {
      await mkdir(at(`spool/sha256-${name}`), { recursive: true });
    }
    await writeFile(at('tmp/half'), 'x');
    await writeFile(at('spool/sha256-begun/data'), '');
    await writeFile(at('spool/sha256-growing/data'), 'x');
    const paths: string[] = [];
    for await (const { path } of findLeftovers(layout, Date.now() + 60_000)) paths.push(path);
    expect(paths.toSorted()).toEqual([at('spool/sha256-empty'), at('tmp/half')]);
    expect(await removeLeftovers(layout, Date.now() - 60_000)).toBe(0);
    // A file that was moved or copied here with an old time is new all the same.
    await utimes(at('tmp/half'), 1, 1);
    expect(await removeLeftovers(layout, Date.now() - 60_000)).toBe(0);
    expect(await removeLeftovers(layout, Date.now() + 60_000)).toBe(2);
    expect(await readdir(at('spool'))).toEqual(['sha256-begun', 'sha256-growing']);
    expect(await readdir(at('tmp'))).toEqual([]);
  });
});
