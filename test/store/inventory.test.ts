import { appendFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { inventory } from '../../src/store/inventory.ts';
import { DataDirectory } from '../support/data-directory.ts';
import { seededImage } from '../support/images.ts';

async function listed({ cached, hosted }: DataDirectory): Promise<[string, number][]> {
  const found: [string, number][] = [];
  for await (const { digest, size } of inventory([cached, hosted])) found.push([digest, size]);
  return found;
}

describe('the inventory', () => {
  it('names all that is cached or was pushed, once, in order', async () => {
    await using data = await DataDirectory.create();
    expect(await listed(data)).toEqual([]);
    const [shared, other] = [seededImage([10, 20], 1), seededImage([30], 2)];
    await data.cache('docker.io/library/shared', '1', shared);
    await data.push('local/shared', '1', shared);
    await data.push('local/other', '1', other);
    const all = [shared.manifest, ...shared.blobs, other.manifest, ...other.blobs];
    expect(await listed(data)).toEqual(
      all
        .map(({ digest, bytes }) => [digest, bytes.length])
        .toSorted(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)),
    );
  });

  it('leaves out what cannot be whole in both places', async () => {
    await using data = await DataDirectory.create();
    const image = seededImage([10], 1);
    await data.cache('docker.io/library/a', '1', image);
    await data.push('a', '1', image);
    const [blob] = image.blobs;
    await appendFile(data.hosted.blob(blob!.digest), 'x');
    expect((await listed(data)).map(([digest]) => digest)).not.toContain(blob!.digest);
    expect(await listed(data)).toHaveLength(2);
  });
});
