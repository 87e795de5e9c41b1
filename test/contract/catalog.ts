import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Catalog, TagRecord } from '../../src/catalog/catalog.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { parseRepositoryName, qualify, type QualifiedName } from '../../src/oci/repository-name.ts';
import { waitFor } from '../support/wait-for.ts';

/** A catalog to be tested, over a data folder of its own. */
export interface CatalogUnderTest extends AsyncDisposable {
  readonly catalog: Catalog;
  /** Closes the catalog and opens another over the same data folder, as a restart does. */
  reopen(): Promise<Catalog>;
}

export const alpine = repository('docker.io', 'library/alpine');

export function repository(upstream: string, name: string): QualifiedName {
  return qualify(upstream, parseRepositoryName(name));
}

export function digest(text: string): Digest {
  return digestOf(Buffer.from(text));
}

export function tagRecord(text: string, checkedAt = Date.now()): TagRecord {
  return { digest: digest(text), mediaType: 'application/vnd.test', size: 12, checkedAt };
}

export const latest = 'latest' as Tag;

/** What every catalog does, whatever stands in front of its record and however that fares. */
export function catalogContract(name: string, open: () => Promise<CatalogUnderTest>): void {
  describe(`a catalog ${name}`, () => {
    let test: CatalogUnderTest;
    let catalog: Catalog;
    beforeEach(async () => {
      test = await open();
      catalog = test.catalog;
    });
    afterEach(async () => {
      await test[Symbol.asyncDispose]();
    });

    it('knows nothing at first', async () => {
      expect(await catalog.tag(alpine, latest)).toBeUndefined();
      expect(await catalog.tags(alpine)).toEqual([]);
      expect(await catalog.linked(alpine, 'blobs', digest('a'))).toBeUndefined();
      expect(await catalog.listing(alpine, 'tags')).toBeUndefined();
      expect(await catalog.absent(alpine, 'manifests/latest')).toBe(false);
      expect(await catalog.repositories()).toEqual([]);
    });

    it('gives back a tag, and its newer state', async () => {
      const old = tagRecord('old', 1_700_000_000_000);
      await catalog.putTag(alpine, latest, old);
      expect(await catalog.tag(alpine, latest)).toEqual(old);
      const confirmed = { ...old, checkedAt: 1_700_000_060_001 };
      await catalog.putTag(alpine, latest, confirmed);
      expect(await catalog.tag(alpine, latest)).toEqual(confirmed);
      const moved = tagRecord('new', 1_700_000_120_002);
      await catalog.putTag(alpine, latest, moved);
      expect(await catalog.tag(alpine, latest)).toEqual(moved);
    });

    it('finds a tag that it did not find a moment ago', async () => {
      expect(await catalog.tag(alpine, latest)).toBeUndefined();
      const record = tagRecord('a');
      await catalog.putTag(alpine, latest, record);
      expect(await catalog.tag(alpine, latest)).toEqual(record);
    });

    it('forgets a tag for good, and takes it back when it is put again', async () => {
      await catalog.deleteTag(alpine, latest);
      await catalog.putTag(alpine, latest, tagRecord('a'));
      await catalog.deleteTag(alpine, latest);
      expect(await catalog.tag(alpine, latest)).toBeUndefined();
      expect(await catalog.tags(alpine)).toEqual([]);
      catalog = await test.reopen();
      expect(await catalog.tag(alpine, latest)).toBeUndefined();
      const again = tagRecord('a', Date.now() + 2);
      await catalog.putTag(alpine, latest, again);
      expect(await catalog.tag(alpine, latest)).toEqual(again);
    });

    it('lists tags in ASCII order, each once', async () => {
      for (const tag of ['v2', '_x', 'V1', 'v10', 'v1', '1.0', 'v1'] as Tag[]) {
        await catalog.putTag(alpine, tag, tagRecord(tag));
      }
      expect(await catalog.tags(alpine)).toEqual(['1.0', 'V1', '_x', 'v1', 'v10', 'v2']);
    });

    it('never mixes up registries, repositories and kinds', async () => {
      const others = [
        repository('ghcr.io', 'library/alpine'),
        repository('registry:5000', 'library/alpine'),
        repository('docker.io', 'library'),
        repository('docker.io', 'library/alpine/deep'),
      ];
      await catalog.putTag(alpine, latest, tagRecord('a'));
      await catalog.link(alpine, 'blobs', [{ digest: digest('b'), mediaType: 'x/y', size: 1 }]);
      await catalog.putListing(alpine, 'tags', { value: ['a'], fetchedAt: 1 });
      await catalog.putAbsent(alpine, 'manifests/none', 60_000);
      for (const other of others) {
        expect(await catalog.tag(other, latest)).toBeUndefined();
        expect(await catalog.linked(other, 'blobs', digest('b'))).toBeUndefined();
        expect(await catalog.listing(other, 'tags')).toBeUndefined();
        expect(await catalog.absent(other, 'manifests/none')).toBe(false);
      }
      expect(await catalog.linked(alpine, 'manifests', digest('b'))).toBeUndefined();
      expect(await catalog.linked(alpine, 'blobs', digest('b'))).toBeDefined();
    });

    it('knows what belongs to a repository, sha512 and unknown sizes included', async () => {
      const members = [
        { digest: digest('a'), mediaType: 'application/vnd.a', size: 0 },
        { digest: digestOf(Buffer.from('b'), 'sha512'), mediaType: 'application/vnd.b', size: 7 },
        { digest: digest('c'), mediaType: 'application/vnd.c' },
      ];
      await catalog.link(alpine, 'blobs', [...members, ...members]);
      await catalog.link(alpine, 'blobs', []);
      for (const member of members) {
        expect(await catalog.linked(alpine, 'blobs', member.digest)).toEqual(member);
      }
      catalog = await test.reopen();
      for (const member of members) {
        expect(await catalog.linked(alpine, 'blobs', member.digest)).toEqual(member);
      }
    });

    it('keeps a claim until the upstream has said it, and never the other way round', async () => {
      const known = { digest: digest('a'), mediaType: 'application/vnd.a', size: 5 };
      const claim = { ...known, mediaType: 'text/html', size: 7, claimed: true } as const;
      await catalog.link(alpine, 'manifests', [claim]);
      expect(await catalog.linked(alpine, 'manifests', known.digest)).toEqual(claim);
      catalog = await test.reopen();
      expect(await catalog.linked(alpine, 'manifests', known.digest)).toEqual(claim);
      await catalog.link(alpine, 'manifests', [{ ...claim, mediaType: 'text/plain' }]);
      expect(await catalog.linked(alpine, 'manifests', known.digest)).toEqual(claim);
      await catalog.link(alpine, 'manifests', [known]);
      expect(await catalog.linked(alpine, 'manifests', known.digest)).toEqual(known);
      await catalog.link(alpine, 'manifests', [claim]);
      expect(await catalog.linked(alpine, 'manifests', known.digest)).toEqual(known);
      catalog = await test.reopen();
      await catalog.link(alpine, 'manifests', [claim]);
      expect(await catalog.linked(alpine, 'manifests', known.digest)).toEqual(known);
    });

    it('takes what the upstream says for more than a claim that comes at the same time', async () => {
      const known = { digest: digest('a'), mediaType: 'application/vnd.a', size: 5 };
      const claim = { ...known, claimed: true } as const;
      await Promise.all(
        [claim, known, claim].map((member) => catalog.link(alpine, 'blobs', [member])),
      );
      expect(await catalog.linked(alpine, 'blobs', known.digest)).toEqual(known);
    });

    it('learns a size later, and does not unlearn it', async () => {
      const unsized = { digest: digest('a'), mediaType: 'application/vnd.a' };
      await catalog.link(alpine, 'blobs', [unsized]);
      await catalog.link(alpine, 'blobs', [{ ...unsized, size: 5 }]);
      expect(await catalog.linked(alpine, 'blobs', unsized.digest)).toEqual({
        ...unsized,
        size: 5,
      });
      await catalog.link(alpine, 'blobs', [unsized]);
      expect(await catalog.linked(alpine, 'blobs', unsized.digest)).toEqual({
        ...unsized,
        size: 5,
      });
    });

    it('links many members at once', async () => {
      const members = Array.from({ length: 200 }, (_, index) => ({
        digest: digest(`member ${index}`),
        mediaType: 'application/vnd.layer',
        size: index,
      }));
      await catalog.link(alpine, 'blobs', members);
      const found = await Promise.all(
        members.map((member) => catalog.linked(alpine, 'blobs', member.digest)),
      );
      expect(found).toEqual(members);
    });

    it('keeps listings', async () => {
      const listing = { value: { tags: ['a', 'b'], more: null }, fetchedAt: 1_700_000_000_000 };
      await catalog.putListing(alpine, 'tags', listing);
      expect(await catalog.listing(alpine, 'tags')).toEqual(listing);
      const key = `referrers-${digest('a').replace(':', '-')}`;
      expect(await catalog.listing(alpine, key)).toBeUndefined();
      await catalog.putListing(alpine, key, { value: [], fetchedAt: 5 });
      expect(await catalog.listing(alpine, key)).toEqual({ value: [], fetchedAt: 5 });
      catalog = await test.reopen();
      expect(await catalog.listing(alpine, 'tags')).toEqual(listing);
    });

    it('forgets members and listings for good, and leaves the others', async () => {
      const members = ['a', 'b', 'c'].map((text) => ({
        digest: digest(text),
        mediaType: 'x/y',
        size: 1,
      }));
      const [first, second, third] = members.map((member) => member.digest);
      await catalog.link(alpine, 'blobs', members);
      await catalog.link(alpine, 'manifests', members);
      expect(await catalog.members(alpine, 'blobs')).toEqual([first!, second!, third!].toSorted());
      await catalog.unlink(alpine, 'blobs', [first!, second!]);
      await catalog.putListing(alpine, 'tags', { value: ['a'], fetchedAt: 5 });
      await catalog.putListing(alpine, 'other', { value: ['b'], fetchedAt: 5 });
      expect(await catalog.listings(alpine)).toEqual(['other', 'tags']);
      await catalog.deleteListing(alpine, 'tags');
      for (const _ of ['now', 'after a restart']) {
        expect(await catalog.linked(alpine, 'blobs', first!)).toBeUndefined();
        expect(await catalog.linked(alpine, 'blobs', third!)).toEqual(members[2]);
        expect(await catalog.members(alpine, 'blobs')).toEqual([third]);
        expect(await catalog.members(alpine, 'manifests')).toHaveLength(3);
        expect(await catalog.listing(alpine, 'tags')).toBeUndefined();
        expect(await catalog.listings(alpine)).toEqual(['other']);
        catalog = await test.reopen();
      }
      await catalog.link(alpine, 'blobs', [members[0]!]);
      expect(await catalog.linked(alpine, 'blobs', first!)).toEqual(members[0]);
    });

    it('writes a member anew when told to, whatever it believes is there', async () => {
      const member = { digest: digest('a'), mediaType: 'x/y', size: 5 };
      await catalog.link(alpine, 'blobs', [member]);
      await catalog.relink(alpine, 'blobs', { ...member, size: 7 });
      for (const _ of ['now', 'after a restart']) {
        expect(await catalog.linked(alpine, 'blobs', member.digest)).toMatchObject({ size: 7 });
        catalog = await test.reopen();
      }
      await catalog.link(alpine, 'blobs', [{ ...member, claimed: true }]);
      await catalog.relink(alpine, 'blobs', { ...member, claimed: true });
      catalog = await test.reopen();
      expect(await catalog.linked(alpine, 'blobs', member.digest)).toMatchObject({
        size: 5,
        claimed: true,
      });
    });

    it('no longer lists a repository of which nothing is left', async () => {
      const below = repository('docker.io', 'library/alpine/below');
      await catalog.putTag(alpine, latest, tagRecord('a'));
      await catalog.link(alpine, 'blobs', [{ digest: digest('a'), mediaType: 'x/y' }]);
      await catalog.putTag(below, latest, tagRecord('a'));
      await catalog.deleteTag(alpine, latest);
      await catalog.prune(alpine);
      expect(await catalog.repositories()).toEqual([alpine, below]);
      await catalog.unlink(alpine, 'blobs', [digest('a')]);
      await catalog.prune(alpine);
      expect(await catalog.repositories()).toEqual([below]);
      await catalog.putTag(alpine, latest, tagRecord('b'));
      expect(await catalog.repositories()).toEqual([alpine, below]);
    });

    it('remembers for a while what is absent, and can be told otherwise', async () => {
      await catalog.putAbsent(alpine, 'manifests/gone', 60_000);
      expect(await catalog.absent(alpine, 'manifests/gone')).toBe(true);
      expect(await catalog.absent(alpine, 'manifests/other')).toBe(false);
      await catalog.putAbsent(alpine, 'manifests/gone', 0);
      expect(await catalog.absent(alpine, 'manifests/gone')).toBe(false);
      await catalog.putAbsent(alpine, `blobs/${digest('a')}`, 30);
      await waitFor('the mark to end', async () => {
        return !(await catalog.absent(alpine, `blobs/${digest('a')}`));
      });
    });

    it('keeps everything but absences over a restart', async () => {
      const record = tagRecord('a', 1_700_000_000_123);
      await catalog.putTag(alpine, latest, record);
      await catalog.link(alpine, 'manifests', [
        { digest: record.digest, mediaType: record.mediaType, size: record.size },
      ]);
      catalog = await test.reopen();
      expect(await catalog.tag(alpine, latest)).toEqual(record);
      expect(await catalog.tags(alpine)).toEqual([latest]);
      expect(await catalog.linked(alpine, 'manifests', record.digest)).toMatchObject({ size: 12 });
      expect(await catalog.repositories()).toEqual([alpine]);
    });

    it('lists the repositories that hold something, nested ones included, at once', async () => {
      const names = [
        repository('registry:5000', 'app'),
        repository('docker.io', 'library/alpine/deep/er'),
        alpine,
        repository('ghcr.io', 'a/b'),
      ];
      for (const [index, name] of names.entries()) {
        if (index % 2 === 0) await catalog.putTag(name, latest, tagRecord('a'));
        else await catalog.link(name, 'blobs', [{ digest: digest('a'), mediaType: 'x/y' }]);
        expect(await catalog.repositories()).toEqual(names.slice(0, index + 1).toSorted());
      }
      await catalog.putListing(repository('ghcr.io', 'only/listed'), 'tags', {
        value: [],
        fetchedAt: 1,
      });
      expect(await catalog.repositories()).toEqual(names.toSorted());
    });

    it('ends in the state of the last of many writes at once', async () => {
      const writes = Array.from({ length: 20 }, (_, index) =>
        catalog.putTag(alpine, latest, tagRecord(`state ${index}`, 1_700_000_000_000 + index)),
      );
      const reads = Array.from({ length: 20 }, () => catalog.tag(alpine, latest));
      await Promise.all([...writes, ...reads]);
      const last = tagRecord('state 19', 1_700_000_000_019);
      expect(await catalog.tag(alpine, latest)).toEqual(last);
      catalog = await test.reopen();
      expect(await catalog.tag(alpine, latest)).toEqual(last);
    });

    it('answers after it was closed, and can be closed twice', async () => {
      const record = tagRecord('a');
      await catalog.putTag(alpine, latest, record);
      await catalog.close();
      expect(await catalog.tag(alpine, latest)).toEqual(record);
      await catalog.close();
    });
  });
}
