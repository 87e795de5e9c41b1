import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { buffer } from 'node:stream/consumers';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { ErrorCode } from '../../src/oci/errors.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { parseRepositoryName } from '../../src/oci/repository-name.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import {
  artifactOf,
  descriptorOf,
  seededImage,
  type Content,
  type Image,
} from '../support/images.ts';

/** An upstream to be tested, in front of a registry that holds {@link shelf}. */
export interface UpstreamUnderTest extends AsyncDisposable {
  readonly upstream: Upstream;
}

export const repository = parseRepositoryName('library/reef');
const elsewhere = parseRepositoryName('library/desert');

const image = seededImage([300_000, 12], 7);

/** What the registry has to hold, in `library/reef`: by tag, or without one. */
export const shelf: {
  readonly image: Image;
  readonly layer: Content;
  readonly tags: readonly string[];
  readonly artifacts: readonly Image[];
} = {
  image,
  layer: image.blobs[1] as Content,
  tags: ['1.0', '1.1', '2.0', 'latest', 'oldest'],
  artifacts: ['one', 'two', 'three'].map((text) =>
    artifactOf(image.manifest, 'application/vnd.test.note', text),
  ),
};

export const latest = 'latest' as Tag;
const absent: Digest = digestOf(Buffer.from('no such thing'));
const { signal: never } = new AbortController();

/** What every upstream does that is there and willing. */
export function upstreamContract(name: string, open: () => Promise<UpstreamUnderTest>): void {
  describe(`an upstream ${name}`, () => {
    const { manifest } = shelf.image;
    const { layer } = shelf;
    let test: UpstreamUnderTest;
    let upstream: Upstream;
    beforeEach(async () => {
      test = await open();
      ({ upstream } = test);
    });
    afterEach(async () => {
      await test[Symbol.asyncDispose]();
    });

    it('puts nothing off while it has said nothing of a quota, and tells how it stands', () => {
      expect(upstream.thrift.stretch).toBe(1);
      const { name: called, offline, revalidation } = upstream.status();
      expect([called, offline, revalidation]).toEqual([upstream.name, false, 'normal']);
    });

    it('answers a ping', async () => {
      await expect(upstream.ping(never)).resolves.toBeUndefined();
    });

    it('resolves a tag and a digest', async () => {
      const expected = descriptorOf(manifest);
      expect(await upstream.resolve(repository, latest, never)).toEqual(expected);
      expect(await upstream.resolve(repository, manifest.digest, never)).toEqual(expected);
    });

    it('fetches a manifest byte for byte', async () => {
      const fetched = await upstream.fetchManifest(repository, latest, never);
      expect(fetched.bytes.equals(manifest.bytes)).toBe(true);
      expect(fetched.contentType).toBe(manifest.mediaType);
      expect(fetched.digest).toBe(manifest.digest);
    });

    it('knows the size of a blob', async () => {
      expect(await upstream.statBlob(repository, layer.digest, never)).toEqual({ size: 300_000 });
    });

    it('fetches a blob byte for byte', async () => {
      const fetched = await upstream.fetchBlob(repository, layer.digest, undefined, never);
      expect([fetched.size, fetched.offset]).toEqual([300_000, 0]);
      expect((await buffer(fetched.body)).equals(layer.bytes)).toBe(true);
    });

    it('goes on with a blob from where it was left', async () => {
      const first = await upstream.fetchBlob(repository, layer.digest, undefined, never);
      first.body.destroy();
      const resume = { offset: 123_456, etag: first.etag };
      const fetched = await upstream.fetchBlob(repository, layer.digest, resume, never);
      expect([fetched.size, fetched.offset]).toEqual([300_000, 123_456]);
      expect((await buffer(fetched.body)).equals(layer.bytes.subarray(123_456))).toBe(true);
    });

    it('starts a blob again where the validator is not the one it had', async () => {
      const resume = { offset: 123_456, etag: '"another"' };
      const fetched = await upstream.fetchBlob(repository, layer.digest, resume, never);
      expect([fetched.size, fetched.offset]).toEqual([300_000, 0]);
      expect((await buffer(fetched.body)).equals(layer.bytes)).toBe(true);
    });

    it('cannot go on behind the end of a blob', async () => {
      const resume = { offset: 300_000 };
      await expect(
        upstream.fetchBlob(repository, layer.digest, resume, never),
      ).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
    });

    it('lists all tags, over any number of pages', async () => {
      expect(await upstream.listTags(repository, never)).toEqual(shelf.tags);
    });

    it('lists all referrers, over any number of pages', async () => {
      const { digest } = manifest;
      const referrers = await upstream.listReferrers(repository, digest, never);
      const expected = shelf.artifacts.map((artifact) => artifact.manifest.digest);
      expect(referrers?.map((descriptor) => descriptor.digest)).toEqual(expected);
      expect(await upstream.listReferrers(repository, absent, never)).toEqual([]);
    });

    it('tells what is not there', async () => {
      const cases: [ErrorCode, Promise<unknown>][] = [
        ['MANIFEST_UNKNOWN', upstream.resolve(repository, 'nosuch' as Tag, never)],
        ['MANIFEST_UNKNOWN', upstream.fetchManifest(repository, absent, never)],
        ['BLOB_UNKNOWN', upstream.statBlob(repository, absent, never)],
        ['BLOB_UNKNOWN', upstream.fetchBlob(repository, absent, undefined, never)],
        ['NAME_UNKNOWN', upstream.listTags(elsewhere, never)],
        ['NAME_UNKNOWN', upstream.fetchManifest(elsewhere, latest, never)],
      ];
      await Promise.all(cases.map(([code, call]) => expect(call).rejects.toMatchObject({ code })));
    });

    it("ends with the signal's reason, before and during a call", async () => {
      const reason = new Error('nobody waits any more');
      for (const call of everyCall(upstream, AbortSignal.abort(reason))) {
        await expect(call()).rejects.toBe(reason);
      }
      const controller = new AbortController();
      const { signal } = controller;
      const calls = everyCall(upstream, signal).map((call) => expect(call()).rejects.toBe(reason));
      controller.abort(reason);
      await Promise.all(calls);
    });

    it("ends a running body with the signal's reason", async () => {
      const reason = new Error('nobody waits any more');
      const controller = new AbortController();
      const { body } = await upstream.fetchBlob(
        repository,
        layer.digest,
        undefined,
        controller.signal,
      );
      const read = buffer(body);
      controller.abort(reason);
      await expect(read).rejects.toBe(reason);
    });
  });
}

/** What an upstream does that cannot be reached, or must not be. */
export function unreachableContract(
  name: string,
  code: ErrorCode,
  open: () => Promise<UpstreamUnderTest>,
): void {
  describe(`an upstream ${name}`, () => {
    it(`fails every call with ${code}, naming itself`, async () => {
      await using test = await open();
      const { upstream } = test;
      for (const call of everyCall(upstream, never)) {
        const message: unknown = expect.stringContaining(upstream.name);
        await expect(call()).rejects.toMatchObject({ code, message });
      }
    });
  });
}

function everyCall(upstream: Upstream, signal: AbortSignal): (() => Promise<unknown>)[] {
  const { layer } = shelf;
  return [
    () => upstream.ping(signal),
    () => upstream.resolve(repository, latest, signal),
    () => upstream.fetchManifest(repository, latest, signal),
    () => upstream.statBlob(repository, layer.digest, signal),
    () => upstream.fetchBlob(repository, layer.digest, undefined, signal),
    () => upstream.listTags(repository, signal),
    () => upstream.listReferrers(repository, layer.digest, signal),
  ];
}
