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

it('puts what belongs to a very large repository on record piece by piece', async () => {
  const links: number[] = [];
  const catalog = {
    link: (_key: string, _kind: string, members: readonly unknown[]) =>
      Promise.resolve(void links.push(members.length)),
    absent: () => Promise.resolve(false),
  };
  const part = new CachedPart({ catalog } as unknown as CachedPartOptions);
  const blobs = Array.from({ length: 1_200 }, (_, nth) => {
    const { digest, mediaType } = content(Buffer.from(`${nth}`), 'text/plain');
    return { digest, mediaType, size: 1 };
  });
  const nothing = { manifests: [], absent: [], referrers: [], tags: [] };
  await part.addManifests({ ...nothing, blobs } as unknown as RepositoryContent);
  expect(links).toEqual([500, 500, 200]);
});
