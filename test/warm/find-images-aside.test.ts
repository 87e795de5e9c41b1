import { describe, expect, it } from '@jest/globals';
import { findImages } from '../../src/warm/find-images.ts';
import { findImagesAside } from '../../src/warm/find-images-aside.ts';
import { maxImages } from '../../src/warm/image-findings.ts';

const documents = Array.from(
  { length: 1_000 },
  (_, nth) =>
    `kind: Pod\nspec: { containers: [{ image: "app:${nth}" }] }\nother: { image: No }\n---\n`,
);

describe('looking for images beside what else goes on', () => {
  it.each([
    ['a short text', 'nginx:1.27 platform=arm64\nNo\n'],
    ['a long one', documents.join('')],
  ])('finds in %s what is found in it otherwise', async (_what, text) => {
    const { images, faults } = await findImages(text);
    expect(images.length).toBeGreaterThan(0);
    expect(faults.length).toBeGreaterThan(0);
    expect(await findImagesAside(text)).toMatchObject({ images, faults });
  });

  it('lets others have their turns meanwhile', async () => {
    const looking = findImagesAside(`image: x:1\nlist:\n${'- { a: b }\n'.repeat(50_000)}`);
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    const { images } = await looking;
    clearInterval(timer);
    expect(images).toEqual([{ reference: 'x:1' }]);
    expect(turns).toBeGreaterThan(10);
  });

  it('refuses in the same words', async () => {
    const text = Array.from({ length: maxImages + 1 }, (_, nth) => `app:${nth}`).join('\n');
    await expect(findImagesAside(text)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: `there are more than ${maxImages} images in it`,
    });
  });
});
