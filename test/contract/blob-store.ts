import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { drain } from '../support/scaffold.ts';

/** What every blob store does; `reopen` gives what another process would see. */
export interface BlobStoreHarness {
  readonly store: BlobStore;
  reopen(): Promise<BlobStore>;
  dispose(): Promise<void>;
}

/** The behaviour of BlobStore and BlobWriter. */
export function blobStoreContract(name: string, open: () => Promise<BlobStoreHarness>): void {
  describe(`the blob store contract, ${name}`, () => {
    const content = randomBytes(300_000);
    const digest = digestOf(content);
    const { signal } = new AbortController();
    let harness: BlobStoreHarness;
    let store: BlobStore;
    beforeEach(async () => {
      harness = await open();
      ({ store } = harness);
    });
    afterEach(() => harness.dispose());

    const write = async (bytes: Buffer, from: BlobStore = store) => {
      const writer = await from.create(digest, signal);
      await writer.write([bytes]);
      return writer;
    };

    it('has nothing that nobody put in', async () => {
      expect(await store.stat(digest)).toBeUndefined();
      expect(await store.open(digest)).toBeUndefined();
      expect(await store.read(digest, 1_000_000)).toBeUndefined();
      expect(await store.delete(digest)).toBe(false);
    });

    it.each(['sha256', 'sha512'] as const)('keeps what is put in, under %s', async (algorithm) => {
      const key = digestOf(content, algorithm);
      await store.put(key, content);
      expect(await store.stat(key)).toBe(content.length);
      expect((await store.read(key, 1_000_000))?.equals(content)).toBe(true);
      const again = await harness.reopen();
      expect((await drain((await again.open(key))!)).equals(content)).toBe(true);
    });

    it('reads nothing whole that is larger than asked for', async () => {
      await store.put(digest, content);
      expect(await store.read(digest, content.length - 1)).toBeUndefined();
      expect(await store.read(digest, content.length)).toHaveLength(content.length);
    });

    it('shows nothing of a blob before its commit, and all of it afterwards', async () => {
      const writer = await write(content.subarray(0, 100_000));
      await writer.write([content.subarray(100_000, 100_001), content.subarray(100_001)]);
      expect(writer.offset).toBe(content.length);
      expect(await store.stat(digest)).toBeUndefined();
      expect(writer.verify()).toBe(true);
      await writer.commit();
      expect((await store.read(digest, 1_000_000))?.equals(content)).toBe(true);
      await writer.close();
    });

    it('reads back what was written, during and after the commit', async () => {
      const writer = await write(content);
      const readBack = (): Promise<Buffer> =>
        new Promise((resolve, reject) => {
          const buffer = Buffer.alloc(1000);
          writer.read(buffer, 1000, 200_000, (error) =>
            error === null ? resolve(buffer) : reject(error),
          );
        });
      expect((await readBack()).equals(content.subarray(200_000, 201_000))).toBe(true);
      writer.verify();
      await writer.commit();
      await store.delete(digest);
      expect((await readBack()).equals(content.subarray(200_000, 201_000))).toBe(true);
      await writer.close();
    });

    it('tells wrong bytes from right ones', async () => {
      const writer = await write(randomBytes(10));
      expect(writer.verify()).toBe(false);
      await writer.discard();
      await writer.close();
      const again = await store.create(digest, signal);
      expect(again.offset).toBe(0);
      await again.close();
    });

    it('goes on where a closed or killed writer ended', async () => {
      const first = await write(content.subarray(0, 123_456));
      await first.setOrigin({ size: content.length, etag: '"e"' });
      await first.close();
      const second = await (await harness.reopen()).create(digest, signal);
      expect(second.offset).toBe(123_456);
      expect(second.origin).toEqual({ size: content.length, etag: '"e"' });
      await second.write([content.subarray(123_456)]);
      expect(second.verify()).toBe(true);
      await second.commit();
      await second.close();
      expect((await store.read(digest, 1_000_000))?.equals(content)).toBe(true);
    });

    it('begins again where told to', async () => {
      const writer = await write(randomBytes(5000));
      await writer.restart();
      expect(writer.offset).toBe(0);
      await writer.write([content]);
      expect(writer.verify()).toBe(true);
      await writer.close();
    });

    it('gives up on going on when told to', async () => {
      await (await write(content)).close();
      const gone = new Error('gone');
      await expect(store.create(digest, AbortSignal.abort(gone))).rejects.toBe(gone);
    });

    it('lets a reader finish what is deleted under it', async () => {
      await store.put(digest, content);
      const reader = (await store.open(digest))!;
      expect(await store.delete(digest)).toBe(true);
      expect(await store.stat(digest)).toBeUndefined();
      expect((await drain(reader)).equals(content)).toBe(true);
    });
  });
}
