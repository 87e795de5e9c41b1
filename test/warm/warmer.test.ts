import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RegistryError } from '../../src/oci/errors.ts';
import { noThrift } from '../../src/upstream/thrift.ts';
import {
  artifactOf,
  imageOf,
  indexOf,
  layerOf,
  seededImage,
  type Image,
} from '../support/images.ts';
import { createScaffold, drain, type Scaffold } from '../support/scaffold.ts';
import { waitFor } from '../support/wait-for.ts';
import { addImage, arrangeWarmer, referrerOf, wishesOf } from './support.ts';

const repository = 'team/app';
const name = `docker.io/${repository}:v1`;

let scaffold: Scaffold;
beforeEach(async () => {
  scaffold = await createScaffold();
});
afterEach(() => scaffold.dispose());

/** Its config is larger than what is withheld of a blob until it is verified. */
const large = imageOf({ text: 'x'.repeat(100_000) }, [layerOf(300_000, 1)]);

/** A transfer that stays under way. */
const never = { until: Promise.withResolvers<void>().promise };

const sizeOf = (image: Image): number =>
  image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** Images of the same base, with a layer of their own each. */
function family(count: number): Image[] {
  const base = layerOf(200_000, 1);
  return Array.from({ length: count }, (_, nth) =>
    imageOf({ nth }, [base, layerOf(50_000, nth + 2)]),
  );
}

describe('warming an image', () => {
  it('asks for nothing more once it is broken off', async () => {
    const { hub } = scaffold;
    const images = ['a', 'b', 'c'].map((each) => `team/${each}:v*`);
    const { promise: gate, resolve: goOn } = Promise.withResolvers<void>();
    hub.gate = gate;
    const stop = new AbortController();
    const run = arrangeWarmer(scaffold).warm(images, { jobs: 1 }, stop.signal);
    await waitFor('the first question', () => hub.calls.length === 1);
    stop.abort();
    await expect(run).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    goOn();
    // Each of those behind it would be asked in a few turns of the event loop.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(hub.calls).toHaveLength(1);
  });

  it('is held back by no limit but its own, where another run fetches the same', async () => {
    const { hub } = scaffold;
    const image = seededImage([2_000_000], 1);
    addImage(hub, repository, 'v1', image);
    const slow = arrangeWarmer(scaffold).warm([name], { bandwidth: 1 });
    const { digest } = image.blobs.at(-1)!;
    await waitFor('the download to run', () => {
      return (scaffold.downloads.running(digest)?.received ?? 0) > 0;
    });
    const told = await arrangeWarmer(scaffold).warm([name]);
    expect(told.results).toEqual([`${name} warmed`]);
    expect((await slow).results).toEqual([`${name} warmed`]);
    expect(hub.count('fetchBlob')).toBe(image.blobs.length);
  });

  it('fetches its manifests and blobs, and tells what came', async () => {
    const { hub, store } = scaffold;
    const image = seededImage([300_000, 100_000], 1);
    addImage(hub, repository, 'v1', image);
    const { warm } = arrangeWarmer(scaffold);
    const told = await warm(['team/app:v1']);
    for (const { digest, bytes } of image.blobs) {
      expect(await store.stat(digest)).toBe(bytes.length);
    }
    const amount = { fetched_bytes: sizeOf(image), fetched_blobs: 3 };
    const { digest } = image.manifest;
    expect(told.of('planned')).toEqual([
      {
        kind: 'planned',
        image: name,
        digest,
        platforms: [],
        blobs: 3,
        bytes: sizeOf(image),
        present_blobs: 0,
        present_bytes: 0,
      },
    ]);
    expect(told.of('image')).toEqual([
      { kind: 'image', image: name, result: 'warmed', digest, ...amount },
    ]);
    expect(told.summary).toMatchObject({ images: 1, failed: 0, dry_run: false, ...amount });
    const last = told.of('progress').at(-1);
    expect(last).toMatchObject({ bytes: sizeOf(image), total: sizeOf(image), images_done: 1 });
    expect(told.events.at(-1)).toBe(told.summary);
  });

  it('asks for nothing again while its tag is fresh', async () => {
    const { hub } = scaffold;
    addImage(hub, repository, 'v1', seededImage([10_000], 1));
    const { warm } = arrangeWarmer(scaffold);
    await warm([name]);
    hub.calls.length = 0;
    const again = await warm([name]);
    expect(hub.calls).toEqual([]);
    expect(again.results).toEqual([`${name} present`]);
    expect(again.summary).toMatchObject({ fetched_bytes: 0, fetched_blobs: 0, present_blobs: 2 });
  });

  it('only has its tag confirmed when that is due', async () => {
    await scaffold.dispose();
    scaffold = await createScaffold({ tagTtl: () => 0 });
    const { hub } = scaffold;
    addImage(hub, repository, 'v1', seededImage([10_000], 1));
    const { warm } = arrangeWarmer(scaffold);
    await warm([name], { referrers: true });
    hub.calls.length = 0;
    await warm([name]);
    expect(hub.calls).toEqual([`resolve ${repository} v1`]);
  });

  it('fetches each blob once that images of a repository share, and counts it once', async () => {
    const { hub } = scaffold;
    const images = family(20);
    images.forEach((image, nth) => addImage(hub, repository, `v${nth}`, image));
    const { warm } = arrangeWarmer(scaffold);
    const told = await warm(images.map((_, nth) => `team/app:v${nth}`));
    const digests = new Set(images.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)));
    expect(hub.count('fetchBlob')).toBe(digests.size);
    expect(told.summary).toMatchObject({
      images: 20,
      failed: 0,
      fetched_blobs: digests.size,
      fetched_bytes: [...hub.blobs.values()].reduce((sum, { length }) => sum + length, 0),
    });
    const sum = told.of('image').reduce((total, each) => total + each.fetched_bytes, 0);
    expect(sum).toBe(told.summary.fetched_bytes);
  });

  it('asks another repository whether it has a blob too, and does not fetch it again', async () => {
    const { hub, catalog } = scaffold;
    const image = seededImage([100_000], 1);
    for (const each of ['team/app', 'team/other']) addImage(hub, each, 'v1', image);
    const { warm } = arrangeWarmer(scaffold);
    await warm(['team/app:v1', 'team/other:v1']);
    expect(hub.count('fetchBlob')).toBe(2);
    for (const each of ['team/app', 'team/other']) {
      for (const { digest } of image.blobs) {
        const { key } = scaffold.route(each);
        expect(await catalog.linked(key, 'blobs', digest)).not.toHaveProperty('claimed', true);
      }
    }
  });

  it('lets clients and other runs take part in its downloads', async () => {
    const { hub, blobs, route } = scaffold;
    const image = seededImage([300_000], 1);
    const layer = image.blobs[1]!;
    addImage(hub, repository, 'v1', image);
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
    hub.plays.push({ until }, { until });
    const { warm } = arrangeWarmer(scaffold);
    const runs = [warm([name]), warm([name])];
    await waitFor('the layer to be on its way', () =>
      hub.calls.some((call) => call.includes(layer.digest)),
    );
    const client = await blobs.open(route(repository), layer.digest);
    goOn();
    expect(await drain(client.reader)).toEqual(layer.bytes);
    const [one, other] = await Promise.all(runs);
    expect(hub.count('fetchBlob')).toBe(2);
    expect(one?.summary.failed).toBe(0);
    expect(other?.summary.failed).toBe(0);
  });

  it('only plans in a dry run: manifests are kept, blobs are not fetched', async () => {
    const { hub } = scaffold;
    const images = family(2);
    images.forEach((image, nth) => addImage(hub, repository, `v${nth}`, image));
    const { warm, pins } = arrangeWarmer(scaffold);
    const references = ['team/app:v0', 'team/app:v1'];
    const told = await warm(references, { dry_run: true, pin: true, jobs: 1 });
    expect(hub.count('fetchBlob')).toBe(0);
    expect(pins).toEqual([]);
    expect(told.of('image').map(({ result, fetched_blobs }) => [result, fetched_blobs])).toEqual([
      ['planned', 3],
      // The base was asked for before.
      ['planned', 2],
    ]);
    expect(told.summary).toMatchObject({ dry_run: true, fetched_blobs: 5 });
    hub.calls.length = 0;
    await warm(references);
    expect(hub.count('fetchManifest')).toBe(0);
  });

  it('does not let one that fails stop the others, and says why it failed', async () => {
    const { hub } = scaffold;
    const good = seededImage([1000], 1);
    const broken = seededImage([2000], 2);
    addImage(hub, repository, 'good', good);
    addImage(hub, repository, 'broken', broken);
    hub.blobs.delete(`${repository}@${broken.blobs[1]!.digest}`);
    const { warm, failures } = arrangeWarmer(scaffold);
    const told = await warm([
      'team/app:missing',
      'team/app:broken',
      'Team/App',
      'registry.example.com/app:1',
      'local/app:1',
      'team/app:good',
    ]);
    expect(told.summary).toMatchObject({ images: 6, failed: 5 });
    expect(told.results).toContain('docker.io/team/app:good warmed');
    const failed = told.of('image').filter(({ result }) => result === 'failed');
    const codes = Object.fromEntries(failed.map(({ image, code }) => [image, code]));
    expect(codes).toEqual({
      'docker.io/team/app:missing': 'MANIFEST_UNKNOWN',
      'docker.io/team/app:broken': 'BLOB_UNKNOWN',
      'Team/App': 'NAME_INVALID',
      'registry.example.com/app:1': 'NAME_UNKNOWN',
      'local/app:1': 'MANIFEST_UNKNOWN',
    });
    const messages = failed.map(({ message }) => message).join('\n');
    expect(messages).toMatch(broken.blobs[1]!.digest);
    expect(messages).toMatch('no upstream is configured for registry.example.com');
    expect(failures).toHaveLength(5);
    // What came of it all the same stays.
    expect(failed.find(({ image }) => image.endsWith('broken'))?.fetched_blobs).toBe(1);
  });

  it('pins what it finds, by the name that was asked for', async () => {
    const { hub } = scaffold;
    addImage(hub, repository, 'v1', seededImage([1000], 1));
    const { warm, pins } = arrangeWarmer(scaffold);
    await warm(['team/app:v1', 'team/app:missing'], { pin: true });
    expect(pins).toEqual([{ repository: 'docker.io/team/app', reference: 'v1' }]);
  });

  it('takes every tag that a pattern stands for, or the newest', async () => {
    const { hub } = scaffold;
    const tags = ['1.9', '1.10', '1.11', '2.0', 'latest'];
    tags.forEach((tag, nth) => addImage(hub, repository, tag, seededImage([100], nth)));
    hub.tags.set(repository, tags);
    const { warm } = arrangeWarmer(scaffold);
    const told = await warm(['team/app:1.*']);
    expect(told.results.toSorted()).toEqual(
      ['1.10', '1.11', '1.9'].map((tag) => `docker.io/team/app:${tag} warmed`),
    );
    expect(told.summary.images).toBe(3);
    const images = [{ reference: 'team/app:*', newest: 1 }];
    const newest = await warm([], { images });
    expect(newest.results).toEqual(['docker.io/team/app:2.0 warmed']);
    const none = await warm(['team/app:9*']);
    expect(none.of('image')).toMatchObject([{ image: 'team/app:9*', code: 'MANIFEST_UNKNOWN' }]);
  });

  it('says so where the store cannot hold it all', async () => {
    const { hub } = scaffold;
    addImage(hub, repository, 'v1', seededImage([100_000], 1));
    const { warm } = arrangeWarmer(scaffold, { maxSize: 50_000 });
    const told = await warm([name]);
    expect(told.of('notice').map(({ message }) => message)).toEqual([
      expect.stringContaining('storage.max_size is 48.8 KiB'),
    ]);
  });

  it('ends when it is told to, with nothing left under way', async () => {
    const { hub, downloads } = scaffold;
    addImage(hub, repository, 'v1', large);
    hub.plays.push(never, never);
    const { warm } = arrangeWarmer(scaffold);
    const stop = new AbortController();
    const run = warm([name], {}, stop.signal);
    await waitFor('the blobs to be on their way', () => hub.count('fetchBlob') === 2);
    stop.abort();
    await expect(run).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await waitFor('the downloads to end', () => downloads.inFlight === 0);
  });

  it('ends when nobody listens any more', async () => {
    const { hub, downloads } = scaffold;
    addImage(hub, repository, 'v1', large);
    hub.plays.push(never, never);
    const { warmer } = arrangeWarmer(scaffold);
    const { signal } = new AbortController();
    for await (const event of warmer.warm(wishesOf([name]), signal)) {
      if (event.kind === 'planned') break;
    }
    await waitFor('the downloads to end', () => downloads.inFlight === 0);
  });
});

describe('the platforms of an image', () => {
  const amd64 = seededImage([1000], 1);
  const arm64 = seededImage([2000], 2);
  const index = indexOf({ amd64, arm64 });

  it('are those that are wanted: nothing is fetched for the others', async () => {
    const { hub, store } = scaffold;
    addImage(hub, repository, 'v1', index);
    const { warm } = arrangeWarmer(scaffold);
    const told = await warm([name], { platforms: ['linux/arm64'] });
    expect(told.of('planned')).toMatchObject([{ platforms: ['linux/arm64'], blobs: 2 }]);
    expect(await store.stat(arm64.blobs[1]!.digest)).toBe(2000);
    expect(await store.stat(amd64.blobs[1]!.digest)).toBeUndefined();
    expect(await store.stat(amd64.manifest.digest)).toBeUndefined();
    const all = await warm([name], { platforms: ['all'] });
    expect(all.of('planned')).toMatchObject([{ platforms: ['linux/amd64', 'linux/arm64'] }]);
    expect(await store.stat(amd64.blobs[1]!.digest)).toBe(1000);
  });

  it('are told of where one is missing, and it fails where all are', async () => {
    const { hub } = scaffold;
    addImage(hub, repository, 'v1', index);
    const { warm } = arrangeWarmer(scaffold);
    const some = await warm([name], { platforms: ['linux/amd64', 'linux/s390x'] });
    expect(some.results).toEqual([`${name} warmed`]);
    expect(some.of('notice')).toMatchObject([{ message: expect.stringContaining('linux/s390x') }]);
    const none = await warm([name], { platforms: ['linux/s390x'] });
    expect(none.of('image')).toMatchObject([
      {
        result: 'failed',
        code: 'MANIFEST_UNKNOWN',
        message: 'the image has nothing for linux/s390x; it has linux/amd64, linux/arm64',
      },
    ]);
  });
});

describe('the referrers of an image', () => {
  const image = seededImage([1000], 1);
  const sbom = artifactOf(image.manifest, 'application/spdx+json', 'bill of materials');

  it('come along with what refers to them, where they are wanted', async () => {
    const { hub, store } = scaffold;
    addImage(hub, repository, 'v1', image);
    addImage(hub, repository, 'unused', sbom);
    hub.manifests.delete(`${repository}:unused`);
    hub.referrers = [referrerOf(sbom.manifest)];
    const { warm } = arrangeWarmer(scaffold);
    await warm([name]);
    expect(await store.stat(sbom.manifest.digest)).toBeUndefined();
    await warm([name], { referrers: true });
    for (const { digest } of [sbom.manifest, ...sbom.blobs]) {
      expect(await store.stat(digest)).toBeDefined();
    }
    const listed = hub.calls.filter((call) => call.startsWith('listReferrers'));
    expect(listed).toContain(`listReferrers ${repository} ${sbom.manifest.digest}`);
  });

  it('are found under the tags that cosign gives them, too', async () => {
    const { hub, store } = scaffold;
    addImage(hub, repository, 'v1', image);
    const tag = `${image.manifest.digest.replace(':', '-')}.sig`;
    addImage(hub, repository, tag, sbom);
    const { warm } = arrangeWarmer(scaffold);
    await warm([name], { referrers: true });
    expect(await store.stat(sbom.blobs[1]!.digest)).toBeDefined();
    hub.calls.length = 0;
    await warm([name], { referrers: true });
    expect(hub.calls).toEqual([]);
  });
});

describe('an upstream that refuses', () => {
  const image = seededImage([1000, 2000], 1);

  it('with a 429 is waited for, which is told', async () => {
    const { hub, manifests } = scaffold;
    addImage(hub, repository, 'v1', image);
    hub.plays.push({ fails: new RegistryError('TOOMANYREQUESTS', undefined, { retryAfter: 1 }) });
    await manifests.get(scaffold.route(repository), 'v1' as never);
    const { warm } = arrangeWarmer(scaffold);
    const told = await warm([name]);
    expect(told.results).toEqual([`${name} warmed`]);
    expect(told.of('waiting')).toEqual([
      { kind: 'waiting', upstream: 'docker.io', seconds: 1, reason: 'rate-limit' },
    ]);
  });

  it('for longer than anybody would wait fails at once', async () => {
    const { hub } = scaffold;
    hub.failure = new RegistryError('TOOMANYREQUESTS', undefined, { retryAfter: 3600 });
    const { warm } = arrangeWarmer(scaffold);
    const told = await warm([name, 'team/app:v2']);
    expect(told.of('image')).toMatchObject([
      { result: 'failed', code: 'TOOMANYREQUESTS' },
      { result: 'failed', code: 'TOOMANYREQUESTS' },
    ]);
    expect(told.of('waiting')).toEqual([]);
  });

  it('is left to clients while its quota is short; what is stored needs none', async () => {
    const { hub } = scaffold;
    addImage(hub, repository, 'v1', image);
    addImage(hub, repository, 'v2', image);
    const { warm } = arrangeWarmer(scaffold);
    await warm([name]);
    hub.thrift = { stretch: 10, until: Date.now() + 3_600_000, remaining: 3 };
    const told = await warm([name, 'team/app:v2']);
    expect(told.results.toSorted()).toEqual([`${name} present`, 'docker.io/team/app:v2 failed']);
    const failed = told.of('image').find(({ result }) => result === 'failed');
    expect(failed).toMatchObject({ code: 'TOOMANYREQUESTS' });
    expect(failed?.message).toMatch('3 requests');
  });

  it('is asked as soon as there is quota again', async () => {
    const { hub } = scaffold;
    addImage(hub, repository, 'v1', image);
    const budgets = [{ stretch: 10, until: Date.now() + 10, remaining: 3 }, noThrift];
    const calls: number[] = [];
    Object.defineProperty(hub, 'thrift', {
      get: () => {
        calls.push(hub.calls.length);
        return budgets.shift() ?? noThrift;
      },
    });
    const { warm } = arrangeWarmer(scaffold);
    const told = await warm([name]);
    // Nothing was asked before there was quota.
    expect(calls.slice(0, 2)).toEqual([0, 0]);
    expect(told.results).toEqual([`${name} warmed`]);
    expect(told.of('waiting')).toMatchObject([{ reason: 'budget' }]);
  });
});
