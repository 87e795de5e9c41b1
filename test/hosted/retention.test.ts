import { describe, expect, it } from '@jest/globals';
import {
  expiredTags,
  type RetentionRule,
  type TaggedManifest,
} from '../../src/hosted/retention.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';

const day = 86_400_000;
const now = 100 * day;

/** Tags by name, with their age in days. */
function tagged(ages: Readonly<Record<string, number>>): TaggedManifest[] {
  return Object.entries(ages).map(([tag, age]) => ({
    tag: tag as Tag,
    digest: digestOf(Buffer.from(tag)),
    pushedAt: now - age * day,
  }));
}

function rule(pattern: RegExp, rest: Partial<RetentionRule>): RetentionRule {
  return { isAbout: (tag) => pattern.test(tag), immutable: false, ...rest };
}

const builds = { b1: 9, b2: 7, b3: 5, b4: 3, b5: 1 };

describe('retention', () => {
  it.each<[string, Record<string, number>, RetentionRule[], string[]]>([
    ['keeps everything without a rule', builds, [], []],
    ['keeps what no rule is about', builds, [rule(/^v/, { keepLast: 1 })], []],
    ['keeps the last ones pushed', builds, [rule(/./, { keepLast: 2 })], ['b1', 'b2', 'b3']],
    ['keeps all where there are no more', builds, [rule(/./, { keepLast: 5 })], []],
    ['keeps the young ones', builds, [rule(/./, { keepFor: 4 * day })], ['b1', 'b2', 'b3']],
    [
      'keeps what is among the last or young',
      builds,
      [rule(/./, { keepLast: 1, keepFor: 6 * day })],
      ['b1', 'b2'],
    ],
    [
      'lets nothing go for being as old as the limit to the millisecond, but at that age',
      { old: 4, young: 3 },
      [rule(/./, { keepFor: 4 * day })],
      ['old'],
    ],
    [
      'counts each rule among its own tags alone',
      { v1: 9, v2: 8, b1: 2, b2: 1 },
      [rule(/^v/, { keepLast: 1 }), rule(/^b/, { keepLast: 1 })],
      ['v1', 'b1'],
    ],
    [
      'keeps what any rule keeps',
      { v1: 9, v2: 8, v3: 7, b1: 2, b2: 1 },
      [rule(/^v/, { keepLast: 2 }), rule(/./, { keepLast: 1 })],
      ['v1', 'b1'],
    ],
    [
      'keeps immutable tags from the rules of others',
      { v1: 9, b1: 8, b2: 1 },
      [rule(/^v/, { immutable: true }), rule(/./, { keepLast: 1 })],
      ['b1'],
    ],
    [
      'lets immutable tags go by their own rule',
      { v1: 9, v2: 8, v3: 1 },
      [rule(/^v/, { immutable: true, keepLast: 2 })],
      ['v1'],
    ],
    [
      'keeps a tag that a second rule makes immutable without a limit',
      { v1: 9, v2: 8 },
      [rule(/^v/, { immutable: true, keepLast: 1 }), rule(/^v1$/, { immutable: true })],
      [],
    ],
    [
      'takes tags pushed at one moment in the order of their names',
      { a: 1, b: 1, c: 1 },
      [rule(/./, { keepLast: 1 })],
      ['a', 'b'],
    ],
    [
      'takes what was pushed ahead of the clock for young',
      { a: -3 },
      [rule(/./, { keepFor: 1 })],
      [],
    ],
  ])('%s', (_name, ages, rules, gone) => {
    expect(expiredTags(tagged(ages), rules, now).map(({ tag }) => tag)).toEqual(gone);
  });

  it('keeps tags of which nobody knows the age, and counts them as the last ones', () => {
    const tags = tagged({ b1: 2, b2: 1, unknown: -Infinity });
    expect(tags[2]?.pushedAt).toBe(Infinity);
    const gone = expiredTags(tags, [rule(/./, { keepLast: 2, keepFor: 1 })], now);
    expect(gone.map(({ tag }) => tag)).toEqual(['b1']);
  });
});
