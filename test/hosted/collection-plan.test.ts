import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { planCollection, untaggedManifests } from '../../src/hosted/collection-plan.ts';
import { nodeOf, parentsFirst, type ManifestNode } from '../../src/hosted/manifest-graph.ts';
import type { RetentionRule } from '../../src/hosted/retention.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { referrersTag, type Tag } from '../../src/oci/reference.ts';
import { artifactOf, descriptorOf, indexOf, seededImage, type Image } from '../support/images.ts';

const digest = (name: string): Digest => digestOf(Buffer.from(name));

interface Shape {
  readonly names?: readonly string[];
  readonly subject?: string;
}

/** A graph of manifests with short names. */
function graph(shapes: Readonly<Record<string, Shape>>): Map<Digest, ManifestNode> {
  return new Map(
    Object.entries(shapes).map(([name, { names = [], subject }]) => [
      digest(name),
      { names: names.map(digest), subject: subject === undefined ? undefined : digest(subject) },
    ]),
  );
}

/** Removes the tags that begin with "old". */
const dropOld: RetentionRule = {
  isAbout: (tag) => tag.startsWith('old'),
  immutable: false,
  keepFor: 1,
};

function plan(
  shapes: Readonly<Record<string, Shape>>,
  tags: Readonly<Record<string, string>>,
  { old = [] }: { old?: readonly string[] } = {},
): { tags: string[]; manifests: string[] } {
  const names = new Map(Object.keys(shapes).map((name) => [digest(name), name]));
  const contents = {
    manifests: graph(shapes),
    tags: Object.entries(tags).map(([tag, name]) => ({
      tag: tag as Tag,
      digest: digest(name),
      pushedAt: 0,
    })),
  };
  const isOld = (each: Digest): boolean => old.map(digest).includes(each);
  const { tags: gone, manifests } = planCollection(contents, [dropOld], isOld, 1_000);
  return {
    tags: gone.map(({ tag }) => tag).toSorted(),
    manifests: manifests.map((each) => names.get(each) ?? each),
  };
}

const tagOf = (name: string, suffix = ''): string => `${referrersTag(digest(name))}${suffix}`;

describe('what goes from a repository', () => {
  it('is an expired tag with the image that no other tag names', () => {
    const gone = plan({ a: {}, b: {} }, { old1: 'a', old2: 'b', v1: 'b' });
    expect(gone).toEqual({ tags: ['old1', 'old2'], manifests: ['a'] });
  });

  it('is an index before its children, of which a tagged one stays', () => {
    const shapes = { arm: {}, amd: {}, index: { names: ['arm', 'amd'] } };
    expect(plan(shapes, { old: 'index' }).manifests[0]).toBe('index');
    expect(plan(shapes, { old: 'index' }).manifests).toHaveLength(3);
    expect(plan(shapes, { old: 'index', v1: 'arm' }).manifests).toEqual(['index', 'amd']);
  });

  it('is no child of an index that nobody has tagged, and that stays', () => {
    const shapes = { child: {}, index: { names: ['child'] } };
    expect(plan(shapes, { old: 'child' })).toEqual({ tags: ['old'], manifests: [] });
    expect(plan(shapes, { old: 'child' }, { old: ['index'] }).manifests).toEqual([
      'index',
      'child',
    ]);
  });

  it('is what was attached to an image, with the image and never without', () => {
    const shapes = {
      image: {},
      signature: { subject: 'image' },
      statement: { subject: 'signature' },
    };
    expect(plan(shapes, { old: 'image' }).manifests).toEqual(['statement', 'signature', 'image']);
    expect(plan(shapes, { v1: 'image' }, { old: ['signature', 'statement'] }).manifests).toEqual(
      [],
    );
  });

  it('is a signature of an image that is gone, when it is old', () => {
    const shapes = { signature: { subject: 'gone' } };
    expect(plan(shapes, {}).manifests).toEqual([]);
    expect(plan(shapes, {}, { old: ['signature'] }).manifests).toEqual(['signature']);
  });

  it('is a tag that is named after an image, together with that image', () => {
    const shapes = { image: {}, sig: {}, other: {} };
    const tags = { [tagOf('image', '.sig')]: 'sig', [tagOf('image')]: 'sig' };
    expect(plan(shapes, { ...tags, old: 'image' })).toEqual({
      tags: [...Object.keys(tags), 'old'].toSorted(),
      manifests: ['sig', 'image'],
    });
    expect(plan(shapes, { ...tags, v1: 'image' })).toEqual({ tags: [], manifests: [] });
    // Kept apart from the image that it signs.
    expect(plan({ sig: {} }, { [tagOf('image', '.sig')]: 'sig' }).manifests).toEqual([]);
  });

  it('is what no tag leads to, when it is old', () => {
    const shapes = { a: {}, b: {}, c: {}, index: { names: ['b'] } };
    expect(plan(shapes, { v1: 'index' }, { old: ['a', 'b', 'index'] }).manifests).toEqual(['a']);
  });

  it('is nothing that anything which stays needs, whatever is old or expired', () => {
    const names = Array.from({ length: 12 }, (_, nth) => `m${String(nth)}`);
    // Each names or refers to manifests before it only: digests have no cycles.
    const shape = (nth: number): fc.Arbitrary<Shape> =>
      nth === 0
        ? fc.constant({})
        : fc.record(
            {
              names: fc.uniqueArray(fc.constantFrom(...names.slice(0, nth)), { maxLength: 3 }),
              subject: fc.constantFrom(...names.slice(0, nth)),
            },
            { requiredKeys: [] },
          );
    const some = fc.uniqueArray(fc.constantFrom(...names));
    fc.assert(
      fc.property(
        fc.tuple(...names.map((_, nth) => shape(nth))),
        fc.dictionary(
          fc.constantFrom('v1', 'v2', 'old1', 'old2', 'old3'),
          fc.constantFrom(...names),
        ),
        some,
        (shapes, tags, old) => {
          const byName = Object.fromEntries(names.map((name, nth) => [name, shapes[nth] ?? {}]));
          const gone = plan(byName, tags, { old });
          const doomed = new Set(gone.manifests);
          expect(doomed.size).toBe(gone.manifests.length);
          const left = new Set(names.filter((name) => !doomed.has(name)));
          for (const name of left) {
            for (const child of byName[name]?.names ?? []) expect(left).toContain(child);
          }
          for (const [tag, name] of Object.entries(tags)) {
            if (!gone.tags.includes(tag)) expect(left).toContain(name);
          }
          // At every step of the removal, too.
          for (const name of gone.manifests) {
            const needs = [...left, ...doomed].filter((each) =>
              byName[each]?.names?.includes(name),
            );
            expect(needs).toEqual([]);
            doomed.delete(name);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('what no tag leads to', () => {
  it('is told without what hangs on a tag by other manifests', () => {
    const manifests = graph({
      image: {},
      index: { names: ['image'] },
      sig: { subject: 'image' },
      lone: {},
    });
    const tags = [{ tag: 'v1' as Tag, digest: digest('index'), pushedAt: 0 }];
    expect(untaggedManifests({ manifests, tags })).toEqual([digest('lone')]);
  });
});

describe('what a manifest holds on to', () => {
  const named = ({ manifest }: Image): ManifestNode => nodeOf(manifest.bytes);
  const image = seededImage([10, 20], 1);

  it('is the config and the layers of an image, and the children of an index', () => {
    expect(new Set(named(image).names)).toEqual(new Set(image.blobs.map((blob) => blob.digest)));
    const index = indexOf({ amd64: image, arm64: seededImage([10], 2) });
    expect(named(index).names).toEqual(index.children.map((child) => child.digest));
  });

  it('is the subject of an artifact', () => {
    const artifact = artifactOf(image.manifest, 'application/x', 'text');
    expect(named(artifact).subject).toBe(image.manifest.digest);
  });

  it('is also what an index of layers or an old artifact manifest names', () => {
    const [layer] = image.blobs;
    const bytes = (fields: object): Buffer => Buffer.from(JSON.stringify(fields));
    const descriptor = descriptorOf(layer!);
    expect(nodeOf(bytes({ manifests: [descriptor] })).names).toEqual([layer!.digest]);
    expect(nodeOf(bytes({ blobs: [descriptor] })).names).toEqual([layer!.digest]);
  });

  it('cannot be told of what is no JSON', () => {
    expect(() => nodeOf(Buffer.from('<html>'))).toThrow('not JSON');
  });

  it('is put in order without a deep stack', () => {
    const shapes: Record<string, Shape> = { m0: {} };
    for (let nth = 1; nth < 20_000; nth += 1) {
      shapes[`m${String(nth)}`] = { names: [`m${String(nth - 1)}`] };
    }
    const manifests = graph(shapes);
    const ordered = parentsFirst(manifests, new Set(manifests.keys()));
    expect(ordered[0]).toBe(digest('m19999'));
    expect(ordered).toHaveLength(20_000);
  });
});
