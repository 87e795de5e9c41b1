import { describe, expect, it } from '@jest/globals';
import { DigestSet } from '../../src/hosted/digest-set.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';

const digest = (text: string, algorithm: 'sha256' | 'sha512' = 'sha256'): Digest =>
  digestOf(Buffer.from(text), algorithm);

describe('DigestSet', () => {
  it('holds what was put into it and nothing else, also when it has grown', () => {
    const set = new DigestSet();
    const count = 20_000;
    for (let nth = 0; nth < count; nth += 1) {
      set.add(digest(`in ${String(nth)}`, nth % 3 === 0 ? 'sha512' : 'sha256'));
    }
    expect(set.size).toBe(count);
    for (let nth = 0; nth < count; nth += 1) {
      const held = digest(`in ${String(nth)}`, nth % 3 === 0 ? 'sha512' : 'sha256');
      if (!set.has(held)) throw new Error(`${held} is lost`);
      if (set.has(digest(`out ${String(nth)}`)))
        throw new Error('it holds what it was never given');
    }
  });

  it('counts what is in it twice once', () => {
    const set = new DigestSet();
    set.add(digest('a'));
    set.add(digest('a'));
    expect(set.size).toBe(1);
  });

  it('finds all of those that begin alike', () => {
    const set = new DigestSet();
    const alike = Array.from(
      { length: 200 },
      (_, nth) => `sha256:ffffffff${String(nth).padStart(56, '0')}` as Digest,
    );
    for (const each of alike) set.add(each);
    expect(alike.every((each) => set.has(each))).toBe(true);
    expect(set.has(`sha256:ffffffff${'9'.repeat(56)}` as Digest)).toBe(false);
  });

  it('would rather keep a digest that no content has than lose one', () => {
    expect(new DigestSet().has(`sha256:${'0'.repeat(64)}` as Digest)).toBe(true);
  });
});
