import { posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { digestOf, isDigest, parseDigest } from '../../src/oci/digest.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { cutIndex, cutPage, parsePageSize } from '../../src/oci/page.ts';
import { isTag, parseReference, referrersTag } from '../../src/oci/reference.ts';
import { parseRepositoryName } from '../../src/oci/repository-name.ts';

const accepts = (parse: () => unknown): boolean => {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
};

describe('a repository name', () => {
  it.each(['a', 'library/alpine', 'a/b/c', 'a.b_c__d-e---f', '0', 'blobs', 'manifests/blobs'])(
    'may be %s',
    (name) => expect(parseRepositoryName(name)).toBe(name),
  );

  it.each([
    '',
    'A',
    '.a',
    'a.',
    'a..b',
    '-a',
    'a___b',
    'a/',
    '/a',
    'a//b',
    '_a',
    'a/_b',
    'é',
    'a\n',
  ])('may not be %j', (name) =>
    expect(() => parseRepositoryName(name)).toThrow('invalid repository name'),
  );

  it('is never longer than 255 characters', () => {
    expect(accepts(() => parseRepositoryName('a'.repeat(255)))).toBe(true);
    expect(accepts(() => parseRepositoryName('a'.repeat(256)))).toBe(false);
  });

  it('never leads out of a folder', () => {
    const tricky = fc.stringMatching(/^[a-z./_\-%0]{0,30}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), tricky), (name) => {
        if (!accepts(() => parseRepositoryName(name))) return;
        expect(posix.join('/data', name)).toBe(`/data/${name}`);
        expect(name.split('/').some((part) => part === '' || /^[._]/.test(part))).toBe(false);
      }),
    );
  });
});

describe('a reference', () => {
  it('is a digest where it holds a colon, and a tag else', () => {
    const digest = digestOf(Buffer.from('x'));
    expect(parseReference(digest)).toBe(digest);
    expect(parseReference('v1.2_3-x')).toBe('v1.2_3-x');
    expect(() => parseReference('sha256:abc')).toThrow(
      expect.objectContaining({ code: 'DIGEST_INVALID' }),
    );
    expect(() => parseReference('.hidden')).toThrow(
      expect.objectContaining({ code: 'TAG_INVALID' }),
    );
  });

  it('is never anything but a plain file name as a tag', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (isTag(text)) expect(posix.basename(text) === text && !text.startsWith('.')).toBe(true);
      }),
    );
  });

  it.each([
    'sha256:',
    `sha256:${'A'.repeat(64)}`,
    `sha256:${'a'.repeat(63)}`,
    `md5:${'a'.repeat(32)}`,
    `sha512:${'a'.repeat(64)}`,
  ])('is no digest as %s', (text) => {
    expect(isDigest(text)).toBe(false);
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ status: 400 }));
  });

  it('has a tag that stands for its referrers, cut as the specification says', () => {
    const long = digestOf(Buffer.from('x'), 'sha512');
    expect(referrersTag(long)).toBe(`sha512-${long.slice(7, 71)}`);
  });
});

describe('a page', () => {
  const list = ['a', 'b', 'c', 'd'];
  it('begins behind `last`, whether that exists or not', () => {
    expect(cutPage(list, 2)).toEqual({ items: ['a', 'b'], next: 'b' });
    expect(cutPage(list, 2, 'b')).toEqual({ items: ['c', 'd'] });
    expect(cutPage(list, undefined, 'bb')).toEqual({ items: ['c', 'd'] });
    expect(cutPage(list, 0)).toEqual({ items: [] });
  });

  it('and its successors make up the list', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string()), fc.integer({ min: 1, max: 9 }), (items, n) => {
        const sorted = items.toSorted((a, b) => (a < b ? -1 : 1));
        const seen: string[] = [];
        for (let last: string | undefined; ;) {
          const page = cutPage(sorted, n, last);
          seen.push(...page.items);
          if (page.next === undefined) break;
          last = page.next;
        }
        expect(seen).toEqual(sorted);
      }),
    );
  });

  it('of an index has as many descriptors as fit, one at least, and all make up the index', () => {
    const descriptor = fc
      .tuple(fc.integer({ min: 0, max: 9_999 }), fc.integer({ min: 0, max: 300 }))
      .map(([nr, length]) => ({
        mediaType: 'a/b',
        digest: digestOf(Buffer.from(String(nr))),
        size: nr,
        annotations: { text: 'é'.repeat(length) },
      }));
    const index = fc.uniqueArray(descriptor, { selector: ({ digest }) => digest });
    fc.assert(
      fc.property(index, fc.integer({ min: 1, max: 2_000 }), (descriptors, limit) => {
        const seen: Descriptor[] = [];
        let pages = 0;
        for (let last: string | undefined; ; pages += 1) {
          const { items, next } = cutIndex(descriptors, limit, last);
          const bytes = Buffer.byteLength(items.map((each) => `${JSON.stringify(each)},`).join(''));
          expect(bytes <= limit || items.length === 1).toBe(true);
          seen.push(...items);
          if (next === undefined) break;
          last = next;
        }
        const sorted = descriptors.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
        // In the order in which they came, where there is one page.
        expect(seen).toEqual(pages === 0 ? descriptors : sorted);
      }),
    );
  });

  it.each(['-1', 'x', '1e3', '1.5', '9'.repeat(10)])('of size %s is refused', (n) => {
    expect(() => parsePageSize(n)).toThrow(
      expect.objectContaining({ code: 'PAGINATION_NUMBER_INVALID', status: 400 }),
    );
  });
});
