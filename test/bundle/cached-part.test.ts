import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { RepositoryContent } from '../../src/bundle/adoption.ts';
import { CachedPart, type CachedPartOptions } from '../../src/bundle/cached-part.ts';
import { Layout } from '../../src/store/layout.ts';
import { content } from '../support/images.ts';
import { tempDir } from '../support/temp-dir.ts';

it('takes no blob from another store whose bytes are not those of its digest', async () => {
  await using folder = tempDir('cached-part');
  const layout = new Layout(folder.path);
  mkdirSync(layout.temporary, { recursive: true });
  const adopted: string[] = [];
  const store = {
    evictor: { admit: (_size: number, work: () => Promise<void>) => work() },
    adopt: (digest: string) => Promise.resolve(void adopted.push(digest)),
  };
  const part = new CachedPart({ layout, store } as unknown as CachedPartOptions);
  const { digest, mediaType, bytes } = content(Buffer.from('right'), 'text/plain');
  const path = join(folder.path, 'blob');
  const add = (): Promise<void> =>
    part.addBlob(
      {} as RepositoryContent,
      { digest, mediaType, size: bytes.length, isOptional: false },
      { path, mayMove: false, isVerified: false },
    );
  await writeFile(path, 'wrong');
  await expect(add()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await writeFile(path, bytes);
  await add();
  expect(adopted).toEqual([digest]);
});
