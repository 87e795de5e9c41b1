import { describe, expect, it, jest } from '@jest/globals';
import { formatPlatform, parsePlatforms } from '../../src/oci/platform.ts';
import { findImages } from '../../src/warm/find-images.ts';
import { maxFaults, maxImages, type FoundImage } from '../../src/warm/image-findings.ts';
import { readImageText } from '../../src/warm/image-text.ts';
import { newestOf } from '../../src/warm/tag-pattern.ts';
import { Random } from '../support/random.ts';
import { mutantOf } from './mutant.ts';

jest.setTimeout(60_000);

const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const inputs = Number(process.env['FUZZ_INPUTS'] ?? 4_000);
const digest = `sha256:${'ab'.repeat(32)}`;

const samples = [
  `# list\nnginx:1.2* newest=3 platform=linux/amd64\nghcr.io/org/app@${digest} # x\n"a","b"\n`,
  `REPOSITORY   TAG    IMAGE ID\nnginx        1.27   0123456789ab\n<none>       <none> 0123456789ab\n`,
  `apiVersion: v1\nkind: CronJob\nspec:\n  containers:\n  - image: "nginx:1.27"\n    args: ['-c', {a: b}]\n---\nimage: &a x/y:1\nother: {image: *a, <<: *b}\n`,
  `services:\n  web:\n    image: \${R:-x}/app\n    sidecarImage: |\n      a:1\n  db: {image: {repository: x, tag: 1.10}}\nimages:\n- a\n- {name: b:1}\n`,
  JSON.stringify({
    items: [
      { spec: { containers: [{ image: 'nginx' }] }, images: [{ names: ['a/b:1', 2, null] }] },
    ],
  }),
  `{"Repository":"a","Tag":"1"}\n{"repoTags":["x/y:1"],"repoDigests":["x/y@${digest}"]}\n`,
];

/** Whether an image could be handed on as it is. */
function isUsable({ reference, platforms, newest }: FoundImage): boolean {
  if (readImageText(reference).kind !== 'image') return false;
  if (newest !== undefined && !(newest > 0 && newest < 10_000)) return false;
  if (platforms === undefined) return true;
  const parsed = parsePlatforms(platforms);
  return parsed === 'all' || parsed.map(formatPlatform).join() === platforms.join();
}

describe(`a list of images that holds anything at all (FUZZ_SEED=${String(seed)})`, () => {
  it('gives only what can be handed on, and faults in lines that there are', async () => {
    let found = 0;
    for (let nth = 0; nth < inputs / 2; nth += 1) {
      const random = new Random(seed * 1_000_000 + nth);
      const text = mutantOf(random.pick(samples), random);
      if (text.includes('\0')) {
        await expect(findImages(text)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
        continue;
      }
      const { images, faults } = await findImages(text);
      found += images.length;
      const lines = text.split('\n').length;
      const isGood =
        images.every(isUsable) &&
        images.length <= maxImages &&
        faults.length <= maxFaults &&
        faults.every(
          ({ line, message }) => message !== '' && (line ?? 1) >= 1 && (line ?? 1) <= lines,
        );
      // Not an assertion for each: those take longer than what they check.
      if (!isGood) expect({ text, images, faults }).toBeUndefined();
    }
    // Mutations have not made all of it worthless.
    expect(found).toBeGreaterThan(inputs / 4);
  });

  it('and tags that are anything at all, have an order that does not depend on theirs', () => {
    const tags = ['1.27', 'v1.27.0-rc.1', '3.14.0b2', '1.27-alpine3.20', '20240923', 'latest'];
    for (let nth = 0; nth < inputs; nth += 1) {
      const random = new Random(seed * 2_000_000 + nth);
      const some = [1, 2, 3, 4].map(() => mutantOf(random.pick(tags), random));
      const newest = newestOf(some, 9);
      if (newest.join() !== newestOf(some.toReversed(), 9).join()) expect(some).toBeUndefined();
    }
    expect(newestOf(tags, 9)).toEqual(['1.27', '3.14.0b2', 'v1.27.0-rc.1']);
  });
});
