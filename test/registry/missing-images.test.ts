import { expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { MissingImages } from '../../src/registry/missing-images.ts';

const nginx = 'docker.io/library/nginx:1.27';
const [one, two] = ['1', '2'].map((text) => digestOf(Buffer.from(text)));

/** A record whose clock is the test's. */
const create = (limit?: number) => {
  const clock = { now: Date.UTC(2026, 10, 21) };
  return { clock, missing: new MissingImages(limit, () => clock.now) };
};

it('counts how often an image is asked for, and when first and last', () => {
  const { clock, missing } = create();
  expect(missing.note({ image: nginx })).toBe(true);
  clock.now += 60_000;
  expect(missing.note({ image: nginx })).toBe(false);
  expect(missing.all()).toEqual([
    {
      image: nginx,
      count: 2,
      first_asked: '2026-11-21T00:00:00.000Z',
      last_asked: '2026-11-21T00:01:00.000Z',
    },
  ]);
});

it('gathers the blobs that an image lacks, and forgets them where all of it is missing', () => {
  const { missing } = create();
  missing.note({ image: nginx, tags: [nginx], platform: 'linux/arm64', blobs: [one!] });
  missing.note({ image: nginx, blobs: [two!, one!] });
  expect(missing.all()).toMatchObject([
    { tags: [nginx], platform: 'linux/arm64', blobs: [one, two], count: 2 },
  ]);
  missing.note({ image: nginx });
  missing.note({ image: nginx, blobs: [one!] });
  expect(missing.all()[0]).not.toHaveProperty('blobs');
});

it('keeps no more than its limit, and what was asked for often rather than once', () => {
  const { missing } = create(3);
  missing.note({ image: 'docker.io/a/often:1' });
  missing.note({ image: 'docker.io/a/often:1' });
  for (let index = 0; index < 50; index++) missing.note({ image: `docker.io/a/once:${index}` });
  expect(missing.all().map(({ image }) => image)).toEqual([
    'docker.io/a/often:1',
    'docker.io/a/once:48',
    'docker.io/a/once:49',
  ]);
});

it('takes an image off unless it was asked for again meanwhile', () => {
  const { missing } = create();
  missing.note({ image: nginx });
  const [seen] = missing.all();
  missing.note({ image: nginx });
  expect([missing.remove(seen!), missing.size]).toEqual([false, 1]);
  const [again] = missing.all();
  expect([missing.remove(again!), missing.size]).toEqual([true, 0]);
});

it('goes on with what was noted before', () => {
  const { missing } = create();
  missing.note({ image: nginx });
  const later = create(1);
  later.missing.restore([{ ...missing.all()[0]!, image: 'docker.io/a/b:1' }, ...missing.all()]);
  later.missing.note({ image: nginx });
  expect(later.missing.all()).toMatchObject([{ image: nginx, count: 2 }]);
});
