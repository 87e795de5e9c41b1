import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { MissingFile } from '../../src/registry/missing-file.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const times = { first_asked: '2026-11-20T08:00:00.000Z', last_asked: '2026-11-21T08:00:00.000Z' };
const digest = digestOf(Buffer.from('an image'));
const images = [
  { image: 'docker.io/library/nginx:1.27', count: 3, ...times },
  {
    image: `localhost:5000/team/app@${digest}`,
    tags: ['localhost:5000/team/app:1.0'],
    platform: 'linux/arm/v7',
    blobs: [digest],
    count: 1,
    ...times,
  },
];

let folder: TempDir;
let file: MissingFile;
let path: string;
beforeEach(() => {
  folder = tempDir('missing');
  file = new MissingFile(folder.path);
  path = join(folder.path, 'missing/images.jsonl');
});
afterEach(async () => folder[Symbol.asyncDispose]());

it('gives back what it was given, and nothing where there never was anything', async () => {
  expect(await file.read()).toEqual([]);
  await file.write(images);
  expect(await file.read()).toEqual(images);
  await file.write([]);
  expect(await file.read()).toEqual([]);
});

it('passes over lines that it did not write', async () => {
  await file.write(images);
  const good = await readFile(path, 'utf8');
  const bad = [
    'nonsense',
    'null',
    '[]',
    '{"image":"docker.io/library/nginx"}',
    ...[
      { image: '-rf:1' },
      { image: 'docker.io/library/nginx:1\u001b[2J' },
      { image: 'docker.io/library/nginx:1\nghcr.io/evil/app:1' },
      { image: 'docker.io/library/nginx' },
      { count: 0 },
      { count: 1.5 },
      { last_asked: 'yesterday' },
    ].map((wrong) => JSON.stringify({ ...images[0], ...wrong })),
  ];
  await writeFile(path, `${bad.join('\n')}\n${good}`);
  expect(await file.read()).toEqual(images);
});

it('leaves out of a line what is not as it was written', async () => {
  await mkdir(join(folder.path, 'missing'));
  const wrong = { tags: ['a b', 7], platform: 'linux\n', blobs: ['sha256:no'] };
  await writeFile(path, JSON.stringify({ ...images[0], ...wrong }));
  expect(await file.read()).toEqual([{ ...images[0], tags: [], blobs: [] }]);
});

it('does not read a file that cannot be its own', async () => {
  await file.write(images);
  await truncate(path, 65 * 1024 * 1024);
  await expect(file.read()).rejects.toThrow('larger than');
});
