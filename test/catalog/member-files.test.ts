import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MemberFiles } from '../../src/catalog/member-files.ts';
import { CatalogRecord } from '../../src/catalog/record.ts';
import { digest, repository } from '../contract/catalog.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { RecordingObserver } from './support.ts';

const app = repository('_hosted', 'local/app');
const layer = digest('layer');

describe('the files that say what belongs to a repository', () => {
  let temporary: TempDir;
  let record: CatalogRecord;
  let files: MemberFiles;
  beforeEach(() => {
    temporary = tempDir('members');
    record = new CatalogRecord({ directory: temporary.path, observer: new RecordingObserver() });
    files = new MemberFiles(temporary.path);
  });
  afterEach(async () => {
    await temporary[Symbol.asyncDispose]();
  });

  const link = (at: number): Promise<void> =>
    record.putMembers(app, 'blobs', [{ digest: layer, mediaType: 'a/b', size: 1 }], at);
  const listed = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const each of files.list(app, 'blobs')) found.push(each);
    return found;
  };

  it('are listed, and nothing that is none', async () => {
    expect(await listed()).toEqual([]);
    await link(1_000);
    const sha512 = `sha512:${'ab'.repeat(64)}`;
    const folder = join(record.layout.root, app, '_blobs');
    await mkdir(join(folder, 'sha512'));
    await writeFile(join(folder, 'sha512', 'ab'.repeat(64)), '{}');
    await writeFile(join(folder, 'sha256', 'no digest'), '{}');
    expect(await listed()).toEqual([layer, sha512]);
  });

  it('are never taken for absent where the disk does not tell', async () => {
    const folder = join(record.layout.root, app, '_blobs');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'sha256'), 'not a folder');
    await expect(listed()).rejects.toThrow('ENOTDIR');
    await expect(files.time(app, 'blobs', layer)).rejects.toThrow('ENOTDIR');
    await expect(files.renew(app, 'blobs', layer)).rejects.toThrow('ENOTDIR');
  });

  it('know when they were linked, or renewed', async () => {
    expect(await files.time(app, 'blobs', layer)).toBeUndefined();
    expect(await files.renew(app, 'blobs', layer)).toBe(false);
    await link(1_700_000_000_000);
    expect(await files.time(app, 'blobs', layer)).toBe(1_700_000_000_000);
    const before = Date.now();
    expect(await files.renew(app, 'blobs', layer)).toBe(true);
    expect(await files.time(app, 'blobs', layer)).toBeGreaterThanOrEqual(before - 1);
    const path = record.layout.member(app, 'blobs', layer);
    await utimes(path, 5, 5);
    expect(await files.time(app, 'blobs', layer)).toBe(5_000);
  });
});
