import { truncate, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { CatalogRecord } from '../../src/catalog/record.ts';
import type { RecordPlace } from '../../src/catalog/record-files.ts';
import { RecordLayout } from '../../src/catalog/record-layout.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { Verification, type VerifyEvent } from '../../src/registry/verify.ts';
import { Quarantine } from '../../src/store/quarantine.ts';
import { createWithdraw } from '../../src/store/withdraw.ts';
import { createScaffold, type Scaffold } from '../support/scaffold.ts';

let scaffold: Scaffold;
beforeEach(async () => {
  scaffold = await createScaffold();
});
afterEach(() => scaffold.dispose());

it('never takes the size of a file for right that was cut short since it was hashed', async () => {
  const { store, catalog, layout, route } = scaffold;
  const { key } = route('team/app');
  const bytes = Buffer.alloc(10_000, 'x');
  const digest = digestOf(bytes);
  await store.put(digest, bytes);
  await catalog.link(key, 'blobs', [{ digest, mediaType: 'x/y', size: bytes.length }]);
  const remove = (each: typeof digest): Promise<boolean> => store.delete(each);
  const quarantine = new Quarantine({ layout, limit: 1_000_000, remove });
  const withdraw = createWithdraw({
    quarantine,
    forget: () => undefined,
    observer: { quarantined: () => undefined, notQuarantined: () => undefined },
  });
  const parameters = { repair: true, rate: Infinity };
  const { signal } = new AbortController();
  const options = { layout, catalog, quarantine, withdraw };
  const seen: VerifyEvent[] = [];
  for await (const event of new Verification(options, parameters, signal).run()) {
    seen.push(event);
    const areBlobsDone = event.event === 'step' && event.step === 'blobs';
    if (areBlobsDone) await truncate(layout.blob(digest), 5_000);
  }
  expect((await catalog.linked(key, 'blobs', digest))?.size).toBe(bytes.length);
  expect(await store.stat(digest)).toBeUndefined();
  expect(seen).toContainEqual(
    expect.objectContaining({ event: 'problem', kind: 'wrong', done: 'quarantined' }),
  );
});

it('repairs nothing in the record that somebody has written anew by then', async () => {
  const { store, catalog, layout, route } = scaffold;
  const { key } = route('team/app');
  const [old, young] = [Buffer.alloc(1_000, 'x'), Buffer.alloc(2_000, 'y')];
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const tags = ['other-size', 'torn'] as Tag[];
  const pushing = async (bytes: Buffer, names: Tag[], size = bytes.length): Promise<void> => {
    const digest = digestOf(bytes);
    await store.put(digest, bytes);
    const record = { digest, mediaType, size, checkedAt: Date.now() };
    for (const tag of names) await catalog.putTag(key, tag, record);
  };
  await pushing(old, tags, 999);
  const files = new RecordLayout(layout.root);
  await writeFile(files.tag(key, 'torn' as Tag), '{');
  const options = {
    layout,
    catalog,
    quarantine: new Quarantine({ layout, limit: 1_000, remove: () => Promise.resolve(false) }),
    withdraw: () => Promise.resolve(false),
    // Whoever has had the lock before.
    async exclusively<T>(place: RecordPlace, work: () => Promise<T>): Promise<T> {
      if (place.kind === 'tag') await pushing(young, [place.tag]);
      return work();
    },
  };
  const { signal } = new AbortController();
  const parameters = { repair: true, rate: Infinity };
  for await (const _ of new Verification(options, parameters, signal).run());
  const record = new CatalogRecord({ directory: layout.root, observer: { error() {}, up() {} } });
  for (const tag of tags) {
    const expected = { digest: digestOf(young), size: young.length };
    expect((await record.tag(key, tag))?.value).toMatchObject(expected);
  }
});

it('reads what is pinned before all else, and each blob once', async () => {
  const { store, catalog, layout } = scaffold;
  const digests = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const bytes = Buffer.from(`content ${index}`);
      const digest = digestOf(bytes);
      await store.put(digest, bytes);
      await writeFile(layout.blob(digest), 'rotten');
      return digest;
    }),
  );
  const pinned = digests.toSorted().slice(-2);
  const found = async (first: () => Promise<ReadonlySet<Digest>>): Promise<string[]> => {
    const quarantine = { takeFile: () => Promise.resolve(false) };
    const withdraw = (): Promise<boolean> => Promise.resolve(false);
    const options = { layout, catalog, quarantine, withdraw, first };
    const { signal } = new AbortController();
    const files: string[] = [];
    const parameters = { repair: false, rate: Infinity };
    for await (const event of new Verification(options, parameters, signal).run()) {
      if (event.event === 'problem') files.push(event.file);
    }
    return files;
  };
  const nameOf = (digest: Digest): string => relative(layout.root, layout.blob(digest));
  const files = await found(() => Promise.resolve(new Set(pinned)));
  expect(files.slice(0, 2)).toEqual(pinned.map(nameOf));
  expect(files.toSorted()).toEqual(digests.map(nameOf).toSorted());
  expect(await found(() => Promise.reject(new Error('EIO')))).toHaveLength(20);
});
