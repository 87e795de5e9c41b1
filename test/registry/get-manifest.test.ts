import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { parseReference } from '../../src/oci/reference.ts';
import type { FreshnessPolicy } from '../../src/registry/remote.ts';
import { noThrift } from '../../src/upstream/thrift.ts';
import { createScaffold, type Scaffold } from '../support/scaffold.ts';

const app = 'team/app';
const config = { mediaType: 'application/json', digest: digestOf(Buffer.from('c')), size: 1 };
const layer = { mediaType: 'application/x-tar', digest: digestOf(Buffer.from('l')), size: 1 };
const image = (note: string) => ({
  mediaType: mediaTypes.ociManifest,
  config,
  layers: [layer],
  annotations: { note },
});
const latest = parseReference('latest');

let scaffold: Scaffold;
const start = async (policy: Partial<FreshnessPolicy> = {}): Promise<void> => {
  scaffold = await createScaffold(policy);
};
const get = (name: string, reference = latest) =>
  scaffold.manifests.get(scaffold.route(name), reference);
afterEach(() => scaffold.dispose());

describe('a fresh tag', () => {
  beforeEach(() => start());

  it('is fetched once for all who ask, and needs no upstream afterwards, by tag and by digest', async () => {
    const { hub } = scaffold;
    const { digest, bytes } = hub.addManifest(app, 'latest', image('one'));
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(app)));
    expect(answers.every((answer) => answer.bytes.equals(bytes))).toBe(true);
    expect(answers.filter(({ outcome }) => outcome.kind === 'miss')).toHaveLength(1);
    expect((await get(app)).outcome).toMatchObject({ kind: 'hit', ttl: 60 });
    expect((await get(app, digest)).outcome.kind).toBe('hit');
    expect(hub.calls).toEqual([`fetchManifest ${app} latest`]);
  });

  it('brings the membership of what its manifest names', async () => {
    const { hub, catalog, route } = scaffold;
    hub.addManifest(app, 'latest', image('one'));
    await get(app);
    const { key } = route(app);
    expect(await catalog.linked(key, 'blobs', layer.digest)).toMatchObject({ size: 1 });
    expect(await catalog.linked(key, 'blobs', config.digest)).toBeDefined();
    expect(await catalog.linked(key, 'manifests', layer.digest)).toBeUndefined();
  });

  it('is answered 404 for a while where the upstream has no such tag', async () => {
    for (let times = 0; times < 3; times++) {
      await expect(get(app)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN', status: 404 });
    }
    expect(scaffold.hub.calls).toHaveLength(1);
  });

  it('is fetched again where its bytes rotted on the disk', async () => {
    const { hub, layout, store, catalog, route } = scaffold;
    const { digest, bytes } = hub.addManifest(app, 'latest', image('one'));
    await store.put(digest, bytes);
    const record = { digest, mediaType: mediaTypes.ociManifest, size: bytes.length };
    await catalog.putTag(route(app).key, latest as never, { ...record, checkedAt: Date.now() });
    await writeFile(layout.blob(digest), 'rotten');
    expect((await get(app)).bytes.equals(bytes)).toBe(true);
    expect((await store.read(digest, 1000))?.equals(bytes)).toBe(true);
  });

  it('is fetched by its name where it was evicted, and the upstream has replaced it meanwhile', async () => {
    const { hub, catalog, route } = scaffold;
    const record = { mediaType: mediaTypes.ociManifest, size: 2, checkedAt: Date.now() };
    const evicted = { ...record, digest: digestOf(Buffer.from('{}')) };
    await catalog.putTag(route(app).key, latest as never, evicted);
    const { digest } = hub.addManifest(app, 'latest', image('two'));
    expect((await get(app)).digest).toBe(digest);
    expect(await catalog.tag(route(app).key, latest as never)).toMatchObject({ digest });
  });
});

describe('a manifest by digest', () => {
  beforeEach(() => start());

  it('is refused where its bytes have another digest', async () => {
    const { hub } = scaffold;
    const { digest } = hub.addManifest(app, 'latest', image('one'));
    const { bytes } = hub.addManifest(app, 'other', image('two'));
    hub.manifests.set(`${app}@${digest}`, { bytes, mediaType: mediaTypes.ociManifest });
    hub.sendsDigest = false;
    await expect(get(app, digest)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
    expect(await scaffold.store.stat(digest)).toBeUndefined();
  });

  it('is not given to a repository whose upstream does not have it', async () => {
    const { hub } = scaffold;
    const { digest } = hub.addManifest('private/app', 'latest', image('one'));
    await get('private/app');
    await expect(get('public/app', digest)).rejects.toMatchObject({ status: 404 });
  });

  it('is refused where it is a page of a captive portal', async () => {
    const { hub } = scaffold;
    const bytes = Buffer.from('<html>Log in to the WiFi</html>');
    hub.manifests.set(`${app}:latest`, { bytes, mediaType: 'text/html' });
    await expect(get(app)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID', status: 502 });
    expect(await scaffold.catalog.tag(scaffold.route(app).key, latest as never)).toBeUndefined();
  });
});

describe('a tag that is due for a check', () => {
  beforeEach(() => start({ tagTtl: () => 0, staleIfError: 60_000 }));

  it('costs one HEAD for all who ask while it has not moved', async () => {
    const { hub } = scaffold;
    hub.addManifest(app, 'latest', image('one'));
    await get(app);
    hub.calls.length = 0;
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(app)));
    expect(answers.every(({ outcome }) => outcome.kind === 'revalidated')).toBe(true);
    expect(hub.calls).toEqual([`resolve ${app} latest`]);
  });

  it('is fetched by the new digest where it has moved', async () => {
    const { hub } = scaffold;
    hub.addManifest(app, 'latest', image('one'));
    await get(app);
    const { digest, bytes } = hub.addManifest(app, 'latest', image('two'));
    hub.calls.length = 0;
    expect((await get(app)).bytes.equals(bytes)).toBe(true);
    expect(hub.calls).toEqual([`resolve ${app} latest`, `fetchManifest ${app} ${digest}`]);
  });

  it('is compared by its bytes where the upstream sends no digest', async () => {
    const { hub } = scaffold;
    hub.sendsDigest = false;
    hub.addManifest(app, 'latest', image('one'));
    await get(app);
    expect((await get(app)).outcome.kind).toBe('revalidated');
  });

  it.each([
    'UPSTREAM_UNAVAILABLE',
    'UPSTREAM_TIMEOUT',
    'TOOMANYREQUESTS',
    'UPSTREAM_DENIED',
  ] as const)('is served stale after %s', async (code) => {
    const { hub, stale } = scaffold;
    const { bytes } = hub.addManifest(app, 'latest', image('one'));
    await get(app);
    hub.failure = new RegistryError(code, undefined, { upstreamStatus: 429 });
    const answer = await get(app);
    expect(answer.bytes.equals(bytes)).toBe(true);
    expect(answer.outcome).toMatchObject({ kind: 'stale', age: 0, fwdStatus: 429, detail: code });
    expect(stale).toEqual([`latest ${code}`]);
  });

  it('that moves again between the question and the fetch is fetched by its name, and stays', async () => {
    const { hub, catalog, route } = scaffold;
    hub.addManifest(app, 'latest', image('one'));
    await get(app);
    const { digest } = hub.addManifest(app, 'latest', image('two'));
    const resolved = await hub.resolve(app, 'latest');
    hub.resolve = () => Promise.resolve(resolved);
    hub.manifests.delete(`${app}@${digest}`);
    const { bytes } = hub.addManifest(app, 'latest', image('three'));
    hub.calls.length = 0;
    const answer = await get(app);
    expect(answer.bytes.equals(bytes)).toBe(true);
    expect(answer.outcome.kind).toBe('miss');
    expect(hub.calls).toEqual([`fetchManifest ${app} ${digest}`, `fetchManifest ${app} latest`]);
    expect(await catalog.tags(route(app).key)).toEqual(['latest']);
    expect(await catalog.absent(route(app).key, 'manifests/latest')).toBe(false);
  });

  it('is served after its check although the record cannot be written', async () => {
    const { hub, catalog, notStored } = scaffold;
    const { bytes } = hub.addManifest(app, 'latest', image('one'));
    await get(app);
    const failure = new RegistryError('UNKNOWN', 'the file system is read-only');
    catalog.putTag = () => Promise.reject(failure);
    const answer = await get(app);
    expect(answer.bytes.equals(bytes)).toBe(true);
    expect(answer.outcome.kind).toBe('revalidated');
    expect(notStored).toEqual([failure]);
  });

  it('is a hit without a check while nothing is left of the quota, and what is missing is fetched', async () => {
    const { hub } = scaffold;
    hub.addManifest(app, 'latest', image('one'));
    const other = hub.addManifest(app, 'other', image('other'));
    await get(app);
    hub.calls.length = 0;
    hub.thrift = { stretch: Infinity, until: Date.now() + 30_000, remaining: 0 };
    for (let times = 0; times < 3; times++) {
      expect((await get(app)).outcome).toMatchObject({ kind: 'hit', ttl: 30 });
    }
    expect(hub.calls).toEqual([]);
    expect((await get(app, parseReference('other'))).digest).toBe(other.digest);
    hub.thrift = noThrift;
    expect((await get(app)).outcome.kind).toBe('revalidated');
  });

  it('is gone where the upstream says so', async () => {
    const { hub, catalog, route } = scaffold;
    hub.addManifest(app, 'latest', image('one'));
    await get(app);
    hub.manifests.delete(`${app}:latest`);
    await expect(get(app)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect(await catalog.tags(route(app).key)).toEqual([]);
  });
});

it('keeps a tag that the upstream deleted, where told to', async () => {
  await start({ tagTtl: () => 0, keepDeleted: true });
  scaffold.hub.addManifest(app, 'latest', image('one'));
  await get(app);
  scaffold.hub.manifests.delete(`${app}:latest`);
  expect((await get(app)).outcome).toMatchObject({ kind: 'stale', detail: 'MANIFEST_UNKNOWN' });
});

it('serves no tag longer than it may be stale', async () => {
  await start({ tagTtl: () => -1, staleIfError: -1 });
  scaffold.hub.addManifest(app, 'latest', image('one'));
  await get(app);
  scaffold.hub.failure = new RegistryError('UPSTREAM_UNAVAILABLE');
  await expect(get(app)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
});

it('answers with what is cached when the check takes longer than its budget, and finishes it behind', async () => {
  await start({ tagTtl: () => 0, revalidateBudget: 20 });
  const { hub, catalog, route } = scaffold;
  hub.addManifest(app, 'latest', image('one'));
  await get(app);
  const { digest } = hub.addManifest(app, 'latest', image('two'));
  const gate = Promise.withResolvers<void>();
  hub.gate = gate.promise;
  expect((await get(app)).outcome).toMatchObject({ kind: 'stale', detail: 'UPSTREAM_TIMEOUT' });
  gate.resolve();
  while ((await catalog.tag(route(app).key, latest as never))?.digest !== digest) {
    await new Promise(setImmediate);
  }
});

it('waits for a check that takes longer than its budget where nothing stale may be served', async () => {
  await start({ tagTtl: () => 0, staleIfError: 0, revalidateBudget: 20 });
  const { hub, catalog, route } = scaffold;
  const { digest, bytes } = hub.addManifest(app, 'latest', image('one'));
  await get(app);
  const record = { digest, mediaType: mediaTypes.ociManifest, size: bytes.length };
  const checkedAt = Date.now() - 1000;
  await catalog.putTag(route(app).key, latest as never, { ...record, checkedAt });
  hub.gate = new Promise((resolve) => setTimeout(resolve, 100));
  expect((await get(app)).outcome.kind).toBe('revalidated');
});

it('asks again for a tag that was checked in the future, as after the clock was set back', async () => {
  await start();
  const { hub, catalog, route } = scaffold;
  const { digest, bytes } = hub.addManifest(app, 'latest', image('one'));
  await get(app);
  const record = { digest, mediaType: mediaTypes.ociManifest, size: bytes.length };
  const checkedAt = Date.now() + 86_400_000;
  await catalog.putTag(route(app).key, latest as never, { ...record, checkedAt });
  expect((await get(app)).outcome).toMatchObject({ kind: 'revalidated', ttl: 60 });
  expect((await get(app)).outcome.kind).toBe('hit');
});

describe('what is new in a repository', () => {
  it('is told once, under the tag that was asked for, also where the tag has moved', async () => {
    await start({ tagTtl: () => 0 });
    const { hub, other, cached } = scaffold;
    const { digest } = hub.addManifest(app, 'latest', image('one'));
    await Promise.all([get(app), get(app), get(app)]);
    await get(app);
    await get(app, digest);
    expect(cached).toEqual([`docker.io/${app} latest`]);
    hub.addManifest(app, 'latest', image('two'));
    await get(app);
    expect(cached.slice(1)).toEqual([`docker.io/${app} latest`]);
    // The same bytes are new elsewhere.
    other.addManifest(app, 'latest', image('two'));
    await get(`ghcr.io/${app}`);
    expect(cached.slice(2)).toEqual([`ghcr.io/${app} latest`]);
  });

  it('is not what was evicted and comes back', async () => {
    await start();
    const { hub, store, cache, cached } = scaffold;
    const { digest } = hub.addManifest(app, 'latest', image('one'));
    await get(app);
    await store.delete(digest);
    cache.forget(digest);
    await get(app);
    expect(hub.calls.filter((call) => call.startsWith('fetchManifest'))).toHaveLength(2);
    expect(cached).toHaveLength(1);
  });
});

describe('while the upstream is offline by the configuration', () => {
  beforeEach(() => start({ tagTtl: () => 0 }));

  it('serves a tag of any age as the hit that it is, and warns of nothing', async () => {
    const { hub, manifests, catalog, route, offlineRoute, stale } = scaffold;
    const { digest } = hub.addManifest(app, 'latest', image('one'));
    await get(app);
    const record = (await catalog.tag(route(app).key, latest as never))!;
    const checkedAt = Date.now() - 3_600_000;
    await catalog.putTag(route(app).key, latest as never, { ...record, checkedAt });
    hub.calls.length = 0;
    const answer = await manifests.get(offlineRoute(app), latest);
    expect(answer.digest).toBe(digest);
    const { kind, age, ttl, detail } = answer.outcome;
    expect([kind, detail]).toEqual(['hit', 'OFFLINE']);
    expect([age! >= 3_600, ttl! <= -3_600]).toEqual([true, true]);
    expect([stale, hub.calls]).toEqual([[], []]);
  });

  it('believes nobody who said lately that something is not there', async () => {
    const { manifests, offlineRoute } = scaffold;
    await expect(get(app)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await expect(manifests.get(offlineRoute(app), latest)).rejects.toMatchObject({
      code: 'UPSTREAM_OFFLINE',
    });
  });
});
