import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { rm, writeFile } from 'node:fs/promises';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { alpine, digest, latest, tagRecord } from '../contract/catalog.ts';
import { RedisServer } from '../support/redis-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { openCatalog, type OpenCatalog } from './support.ts';

jest.setTimeout(60_000);

const password = 'sesame';
const tagKey = `baleen:tag:${alpine}:latest`;

/** As it stands in Redis. */
function known(at: number, value: unknown): string {
  return JSON.stringify({ value: { at, value } });
}

/** Many different keys, so that none is answered from memory. */
function tags(count: number): Tag[] {
  return Array.from({ length: count }, (_, index) => `unknown-${index}` as Tag);
}

describe('a catalog that shares what it knows through Redis', () => {
  let server: RedisServer;
  let opened: OpenCatalog[];
  beforeEach(async () => {
    server = await RedisServer.start({ password });
    opened = [];
  });
  afterEach(async () => {
    server.resume();
    for (const catalog of opened) await catalog[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  async function open(timeout = 500, secret = password): Promise<OpenCatalog> {
    const redis = { url: server.url, password: secret, timeout };
    const catalog = await openCatalog((directory, observer) =>
      createCatalog({ directory, redis, observer }),
    );
    opened.push(catalog);
    return catalog;
  }

  it('uses it from the start', async () => {
    const { catalog, observer } = await open();
    expect(catalog.cacheUp).toBe(true);
    expect(observer.states).toEqual([true]);
    await catalog.putTag(alpine, latest, tagRecord('a'));
    expect(await server.command('GET', tagKey)).toContain(digest('a'));
    expect(Number((await server.command('PTTL', tagKey)).slice(1))).toBeGreaterThan(60_000);
  });

  it('takes a URL with user and password in it, or the password apart', async () => {
    for (const [user, secret] of [
      [`default:${password}@`, undefined],
      ['default@', password],
      [`:${password}@`, undefined],
    ]) {
      const url = `redis://${user}127.0.0.1:${server.port}/1`;
      const test = await openCatalog((directory, observer) =>
        createCatalog({ directory, redis: { url, password: secret, timeout: 500 }, observer }),
      );
      opened.push(test);
      expect(test.catalog.cacheUp).toBe(true);
    }
  });

  it('shares tags, links, lists and absences between data folders', async () => {
    const [one, two] = [await open(), await open()];
    const record = tagRecord('a');
    const member = { digest: digest('layer'), mediaType: 'application/vnd.layer', size: 3 };
    await one.catalog.putTag(alpine, latest, record);
    await one.catalog.link(alpine, 'blobs', [member]);
    await one.catalog.putListing(alpine, 'tags', { value: ['latest'], fetchedAt: 17 });
    await one.catalog.putAbsent(alpine, 'manifests/none', 60_000);
    expect(await two.catalog.tag(alpine, latest)).toEqual(record);
    expect(await two.catalog.linked(alpine, 'blobs', member.digest)).toEqual(member);
    expect(await two.catalog.listing(alpine, 'tags')).toEqual({ value: ['latest'], fetchedAt: 17 });
    expect(await two.catalog.absent(alpine, 'manifests/none')).toBe(true);

    const moved = tagRecord('b', record.checkedAt + 1);
    await two.catalog.putTag(alpine, latest, moved);
    await two.catalog.putAbsent(alpine, 'manifests/none', 0);
    await waitFor('the other to see the move', async () => {
      return (await one.catalog.tag(alpine, latest))?.digest === moved.digest;
    });
    await waitFor('the other to see that the absence ended', async () => {
      return !(await one.catalog.absent(alpine, 'manifests/none'));
    });
    await two.catalog.deleteTag(alpine, latest);
    await waitFor('the other to see the end', async () => {
      return (await one.catalog.tag(alpine, latest)) === undefined;
    });
  });

  it('tells the others what no longer belongs to a repository', async () => {
    const [one, two] = [await open(), await open()];
    const member = { digest: digest('layer'), mediaType: 'application/vnd.layer', size: 3 };
    await one.catalog.link(alpine, 'blobs', [member]);
    await one.catalog.putListing(alpine, 'tags', { value: ['latest'], fetchedAt: 17 });
    expect(await two.catalog.linked(alpine, 'blobs', member.digest)).toEqual(member);
    expect(await two.catalog.listing(alpine, 'tags')).toBeDefined();
    await one.catalog.unlink(alpine, 'blobs', [member.digest]);
    await one.catalog.deleteListing(alpine, 'tags');
    const again = await two.reopen();
    expect(await again.linked(alpine, 'blobs', member.digest)).toBeUndefined();
    expect(await again.listing(alpine, 'tags')).toBeUndefined();
    await waitFor('the other disk to follow', async () => {
      return (await again.members(alpine, 'blobs')).length === 0;
    });
    expect(await one.catalog.linked(alpine, 'blobs', member.digest)).toBeUndefined();
  });

  it('keeps on its own disk what it heard from another', async () => {
    const [one, two] = [await open(), await open()];
    const record = tagRecord('a');
    const member = { digest: digest('layer'), mediaType: 'application/vnd.layer' };
    await one.catalog.putTag(alpine, latest, record);
    await one.catalog.link(alpine, 'blobs', [member]);
    await two.catalog.tag(alpine, latest);
    await two.catalog.linked(alpine, 'blobs', member.digest);
    await server.stop();
    const catalog = await two.reopen();
    expect(catalog.cacheUp).toBe(false);
    expect(await catalog.tag(alpine, latest)).toEqual(record);
    expect(await catalog.linked(alpine, 'blobs', member.digest)).toEqual(member);
    expect(await catalog.repositories()).toEqual([alpine]);
  });

  it('loses nothing when it is flushed, and puts it back', async () => {
    const test = await open();
    const { catalog } = test;
    const record = tagRecord('a');
    await catalog.putTag(alpine, latest, record);
    await server.flush();
    expect(await catalog.tag(alpine, latest)).toEqual(record);
    await waitFor('the tag to be back in Redis', async () => {
      await catalog.tag(alpine, latest);
      return (await server.command('EXISTS', tagKey)) === ':1';
    });
    await server.flush();
    const again = await test.reopen();
    expect(await again.tag(alpine, latest)).toEqual(record);
    expect(await server.command('EXISTS', tagKey)).toBe(':1');
  });

  it.each(['hangs', 'is killed'])('costs one deadline when it %s, then nothing', async (how) => {
    const timeout = 400;
    const { catalog, observer } = await open(timeout);
    expect(await catalog.tag(alpine, latest)).toBeUndefined();
    if (how === 'hangs') server.pause();
    else await server.stop();
    const times: number[] = [];
    for (const tag of tags(300)) {
      const start = performance.now();
      await catalog.tag(alpine, tag);
      times.push(performance.now() - start);
    }
    expect(times.filter((time) => time >= timeout).length).toBeLessThanOrEqual(1);
    expect(Math.max(...times)).toBeLessThan(2 * timeout);
    expect(catalog.cacheUp).toBe(false);
    expect(observer.states).toEqual([true, false]);
    expect(observer.errors.length).toBeGreaterThan(0);
  });

  it('lets all go at once who wait when it turns out to hang', async () => {
    const timeout = 400;
    const { catalog } = await open(timeout);
    server.pause();
    const start = performance.now();
    await Promise.all(tags(300).map((tag) => catalog.tag(alpine, tag)));
    expect(performance.now() - start).toBeLessThan(3 * timeout);
  });

  const outages: readonly {
    readonly how: string;
    readonly begin: () => unknown;
    readonly end: () => unknown;
  }[] = [
    { how: 'hangs', begin: () => server.pause(), end: () => server.resume() },
    { how: 'is killed', begin: () => server.stop(), end: () => server.start() },
    {
      // As after a fail-over that nobody told Baleen of: it is read, and refuses writes.
      how: 'turns into a read-only replica',
      begin: () => server.command('REPLICAOF', '127.0.0.1', '1'),
      end: () => server.command('REPLICAOF', 'NO', 'ONE'),
    },
  ];
  it.each(outages)('is used again by itself after it $how', async ({ begin, end }) => {
    const { catalog, observer } = await open();
    await begin();
    await waitFor('the loss to be noticed', async () => {
      await catalog.putAbsent(alpine, 'manifests/x', 1_000);
      return !catalog.cacheUp;
    });
    const record = tagRecord('a');
    await catalog.putTag(alpine, latest, record);
    expect(await catalog.tag(alpine, latest)).toEqual(record);
    await end();
    await waitFor('its return', () => catalog.cacheUp);
    expect(observer.states).toEqual([true, false, true]);
    const other = await open();
    await catalog.putTag(alpine, 'shared' as Tag, record);
    expect(await other.catalog.tag(alpine, 'shared' as Tag)).toEqual(record);
    await waitFor('what was written meanwhile to reach the other', async () => {
      await catalog.tag(alpine, latest);
      return (await other.catalog.tag(alpine, latest))?.digest === record.digest;
    });
  });

  it('comes into use when it was not there at the start', async () => {
    await server.stop();
    const { catalog, observer } = await open();
    expect(catalog.cacheUp).toBe(false);
    expect(observer.states).toEqual([false]);
    expect(observer.messages).toContain('ECONNREFUSED');
    await server.start();
    await waitFor('it to come', () => catalog.cacheUp);
    expect(observer.states).toEqual([false, true]);
  });

  it('recovers when it hung already while the connection was made', async () => {
    server.pause();
    const { catalog } = await open();
    expect(catalog.cacheUp).toBe(false);
    server.resume();
    await waitFor('it to go on', () => catalog.cacheUp);
  });

  it('never lets what Redis kept from before win over what was learnt without it', async () => {
    const test = await open();
    const { catalog } = test;
    const now = Date.now();
    const old = tagRecord('old', now - 2_000);
    const newer = tagRecord('new', now - 1_000);
    await catalog.putTag(alpine, latest, old);
    const kept = await server.command('GET', tagKey);
    await server.stop();
    await catalog.putTag(alpine, latest, newer);
    await server.start();
    await server.command('SET', tagKey, kept);
    await waitFor('its return', () => catalog.cacheUp);
    expect(await catalog.tag(alpine, latest)).toEqual(newer);
    const restarted = await test.reopen();
    expect(restarted.cacheUp).toBe(true);
    expect(await restarted.tag(alpine, latest)).toEqual(newer);
    // And what Redis holds is mended by that.
    expect(await server.command('GET', tagKey)).toContain(newer.digest);
    expect(await (await open()).catalog.tag(alpine, latest)).toEqual(newer);
  });

  it('does not bring back a tag that was deleted without it, not even after a restart', async () => {
    const test = await open();
    const { catalog } = test;
    await catalog.putTag(alpine, latest, tagRecord('a'));
    const kept = await server.command('GET', tagKey);
    await server.stop();
    await catalog.deleteTag(alpine, latest);
    await server.start();
    await server.command('SET', tagKey, kept);
    await waitFor('its return', () => catalog.cacheUp);
    const restarted = await test.reopen();
    expect(restarted.cacheUp).toBe(true);
    expect(await restarted.tag(alpine, latest)).toBeUndefined();
    expect(await (await open()).catalog.tag(alpine, latest)).toBeUndefined();
    await restarted.putTag(alpine, latest, tagRecord('b', Date.now() + 1));
    expect(await (await test.reopen()).tag(alpine, latest)).toMatchObject({ digest: digest('b') });
  });

  it('works off what was asked of it while it hung, and that does no harm', async () => {
    const { catalog } = await open();
    const now = Date.now();
    server.pause();
    await catalog.putTag(alpine, latest, tagRecord('late', now - 2_000));
    expect(catalog.cacheUp).toBe(false);
    const newer = tagRecord('new', now - 1_000);
    await catalog.putTag(alpine, latest, newer);
    server.resume();
    await waitFor('the late write', async () => {
      return (await server.command('GET', tagKey)).includes(digest('late'));
    });
    await waitFor('its return', () => catalog.cacheUp);
    expect(await catalog.tag(alpine, latest)).toEqual(newer);
    // Mended by the first read that compares: for a second, the memory's word is taken.
    await waitFor('the newer one in Redis', async () => {
      expect(await catalog.tag(alpine, latest)).toEqual(newer);
      return (await server.command('GET', tagKey)).includes(newer.digest);
    });
  });

  it('passes over what is not its own, is damaged, or claims to be from the future', async () => {
    const { catalog, observer } = await open();
    const value = { digest: 'sha256:12', mediaType: 'x/y', size: 1, checkedAt: 1 };
    const foreign: string[][] = [
      ['SET', tagKey, 'no JSON'],
      ['SET', tagKey, 'null'],
      ['SET', tagKey, '[1]'],
      ['SET', tagKey, JSON.stringify({ value: 'text' })],
      ['SET', tagKey, known(1, value)],
      ['SET', tagKey, known(Date.now() + 3_600_000, tagRecord('future'))],
      ['RPUSH', tagKey, 'a', 'list'],
    ];
    for (const command of foreign) {
      await server.command('DEL', tagKey);
      await server.command(...command);
      const fresh = await open();
      expect(await fresh.catalog.tag(alpine, latest)).toBeUndefined();
      expect(fresh.catalog.cacheUp).toBe(true);
      if (command[2] !== 'null' && command[2] !== '[1]') {
        expect(fresh.observer.operations).toEqual(['shared.decode']);
      }
    }
    await server.command('DEL', tagKey);
    await catalog.putTag(alpine, latest, tagRecord('a'));
    expect(await catalog.tag(alpine, latest)).toMatchObject({ digest: digest('a') });
    expect(observer.errors).toEqual([]);
  });

  it('says that the password is refused, and not what it is', async () => {
    const { catalog, observer } = await open(500, 'not-the-word');
    expect(catalog.cacheUp).toBe(false);
    expect(observer.messages).toContain('WRONGPASS');
    expect(JSON.stringify(observer.errors) + observer.messages).not.toContain('not-the-word');
    await catalog.putTag(alpine, latest, tagRecord('a'));
    expect(await catalog.tag(alpine, latest)).toMatchObject({ digest: digest('a') });
  });

  it.each(['http://u:sesame@host', 'redis//sesame', 'sesame'])(
    'refuses a malformed URL without repeating it: %s',
    async (url) => {
      const opening = openCatalog((directory, observer) =>
        createCatalog({ directory, redis: { url }, observer }),
      );
      const error = await opening.catch((failure: unknown) => failure);
      expect(String(error)).toContain('URL of Redis');
      expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('sesame');
    },
  );

  it('fails a write where the disk does, Redis or not', async () => {
    const { catalog, directory } = await open();
    await rm(directory, { recursive: true, force: true });
    await writeFile(directory, 'not a folder');
    await expect(catalog.putTag(alpine, latest, tagRecord('a'))).rejects.toMatchObject({
      name: 'RegistryError',
      code: 'UNKNOWN',
    });
    // It is true all the same, for this process and for all others.
    expect(await catalog.tag(alpine, latest)).toBeDefined();
  });
});
