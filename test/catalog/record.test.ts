import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, readFile, readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CatalogRecord } from '../../src/catalog/record.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import type { QualifiedName } from '../../src/oci/repository-name.ts';
import { alpine, digest, latest, repository, tagRecord } from '../contract/catalog.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { RecordingObserver } from './support.ts';

describe('the record on disk', () => {
  let temporary: TempDir;
  let observer: RecordingObserver;
  let record: CatalogRecord;
  let root: string;
  beforeEach(() => {
    temporary = tempDir('record');
    observer = new RecordingObserver();
    const directory = join(temporary.path, 'v1');
    record = new CatalogRecord({ directory, observer });
    root = join(directory, 'repositories');
  });
  afterEach(async () => {
    await temporary[Symbol.asyncDispose]();
  });

  it('is laid out so that anyone can look inside', async () => {
    const layer = digest('layer');
    const member = { digest: layer, mediaType: 'application/vnd.layer', size: 5 };
    const name = repository('registry:5000', 'team/app');
    await record.putTag(name, latest, tagRecord('a', 1_700_000_000_123));
    await record.putMembers(name, 'blobs', [member], 1_700_000_000_456);
    const claim = { ...member, digest: digest('claim'), claimed: true } as const;
    await record.putMembers(name, 'blobs', [claim], 1_700_000_000_456);
    await record.putListing(name, 'tags', { value: ['latest'], fetchedAt: 1_700_000_000_789 });

    const folder = join(root, 'registry:5000', 'team', 'app');
    expect((await readdir(folder)).toSorted()).toEqual(['_blobs', '_listings', '_tags']);
    const tag = join(folder, '_tags', 'latest');
    const { digest: named, mediaType, size } = tagRecord('a');
    expect(JSON.parse(await readFile(tag, 'utf8'))).toEqual({ digest: named, mediaType, size });
    expect(Math.round((await stat(tag)).mtimeMs)).toBe(1_700_000_000_123);
    const blob = join(folder, '_blobs', 'sha256', layer.slice('sha256:'.length));
    expect(await readFile(blob, 'utf8')).toBe('{"mediaType":"application/vnd.layer","size":5}\n');
    const claimed = join(folder, '_blobs', 'sha256', claim.digest.slice('sha256:'.length));
    expect(await readFile(claimed, 'utf8')).toBe(
      '{"mediaType":"application/vnd.layer","size":5,"claimed":true}\n',
    );
    expect((await record.member(name, 'blobs', claim.digest))?.value).toEqual(claim);
    const listing = join(folder, '_listings', 'tags.json');
    expect(await readFile(listing, 'utf8')).toBe('{"value":["latest"]}\n');
    expect(await readdir(join(temporary.path, 'v1', 'tmp'))).toEqual([]);
  });

  it('touches a tag that is merely confirmed, and rewrites one that moved', async () => {
    await record.putTag(alpine, latest, tagRecord('a', 1_700_000_000_000));
    const path = record.layout.tag(alpine, latest);
    const { ino } = await stat(path);
    await record.putTag(alpine, latest, tagRecord('a', 1_700_000_060_000));
    expect((await stat(path)).ino).toBe(ino);
    expect((await record.tag(alpine, latest))?.at).toBe(1_700_000_060_000);
    await record.putTag(alpine, latest, tagRecord('b', 1_700_000_120_000));
    expect((await stat(path)).ino).not.toBe(ino);
    expect((await record.tag(alpine, latest))?.value?.digest).toBe(digest('b'));
  });

  it.each([
    ['empty', ''],
    ['cut short', '{"digest":"sha256:'],
    ['no object', '7'],
    ['null', 'null'],
    ['without a digest', '{"mediaType":"x/y","size":1}'],
    ['with a malformed digest', '{"digest":"sha256:1","mediaType":"x/y","size":1}'],
    ['too large', `${' '.repeat(70_000)}{}`],
  ])('reports a file that is %s, treats it as absent, and mends it', async (_, text) => {
    const path = record.layout.tag(alpine, latest);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    expect(await record.tag(alpine, latest)).toBeUndefined();
    expect(observer.operations).toEqual(['record.read']);
    expect(observer.messages).toContain(path);
    await record.putTag(alpine, latest, tagRecord('a', 5));
    expect((await record.tag(alpine, latest))?.value).toEqual(tagRecord('a', 5));
  });

  it('reports what stands in the way, and treats it as absent', async () => {
    await mkdir(record.layout.tag(alpine, latest), { recursive: true });
    expect(await record.tag(alpine, latest)).toBeUndefined();
    const other = repository('docker.io', 'other');
    await mkdir(dirname(record.layout.tags(other)), { recursive: true });
    await writeFile(record.layout.tags(other), 'a file where a folder should be');
    expect(await record.tags(other)).toEqual([]);
    expect(await record.tag(other, latest)).toBeUndefined();
    expect(observer.operations).toEqual(['record.read', 'record.list']);
    await expect(record.putTag(other, latest, tagRecord('a'))).rejects.toMatchObject({
      name: 'RegistryError',
      code: 'UNKNOWN',
    });
  });

  it('says nothing about what is simply not there', async () => {
    expect(await record.tag(alpine, latest)).toBeUndefined();
    expect(await record.member(alpine, 'blobs', digest('a'))).toBeUndefined();
    expect(await record.listing(alpine, 'tags')).toBeUndefined();
    expect(await record.tags(alpine)).toEqual([]);
    expect(await record.repositories()).toEqual([]);
    expect(await record.deleteTag(alpine, latest)).toBe(false);
    expect(observer.errors).toEqual([]);
  });

  it('does not take a time ahead of the clock for a confirmation', async () => {
    await record.putTag(alpine, latest, tagRecord('a'));
    const tomorrow = new Date(Date.now() + 86_400_000);
    await utimes(record.layout.tag(alpine, latest), tomorrow, tomorrow);
    expect((await record.tag(alpine, latest))?.value?.checkedAt).toBe(0);
  });

  it('passes over files that are no tags and folders that are no repositories', async () => {
    await record.putTag(alpine, latest, tagRecord('a'));
    await writeFile(join(root, 'docker.io/library/alpine/_tags', '.hidden'), '{}');
    await mkdir(join(root, 'docker.io', 'UPPER', '_tags'), { recursive: true });
    await mkdir(join(root, 'docker.io', 'empty', 'deeper'), { recursive: true });
    await writeFile(join(root, 'stray'), '');
    await symlink('..', join(root, 'docker.io', 'loop'));
    expect(await record.tags(alpine)).toEqual([latest]);
    expect(await record.repositories()).toEqual([alpine]);
    expect(observer.errors).toEqual([]);
  });

  it('walks again when a new repository comes, and only then', async () => {
    await record.putTag(alpine, latest, tagRecord('a'));
    expect(await record.repositories()).toEqual([alpine]);
    await mkdir(join(root, 'docker.io', 'behind', 'its', 'back', '_tags'), { recursive: true });
    await record.putTag(alpine, 'v1' as Tag, tagRecord('a'));
    expect(await record.repositories()).toEqual([alpine]);
    await record.putTag(repository('ghcr.io', 'a'), latest, tagRecord('a'));
    expect(await record.repositories()).toEqual(['docker.io/behind/its/back', alpine, 'ghcr.io/a']);
  });

  it('lists a repository that came while a walk was under way', async () => {
    await record.putTag(alpine, latest, tagRecord('a'));
    const walk = record.repositories();
    const added = repository('ghcr.io', 'added');
    await record.putTag(added, latest, tagRecord('a'));
    await walk;
    expect(await record.repositories()).toEqual([alpine, added]);
  });

  it('never builds a path outside its folder, whatever reached it', async () => {
    const names = ['..', 'a', 'a/..', 'a/../../b', '/etc/a', 'a//b', 'a/b\0', 'a/.', '', 'a\\b/c'];
    for (const name of names as QualifiedName[]) {
      expect(() => record.layout.tag(name, latest)).toThrow(
        expect.objectContaining({ code: 'NAME_INVALID' }),
      );
    }
    const parts = ['..', '.', '', 'a/b', '../a', 'a\0'] as Tag[];
    for (const tag of parts) expect(() => record.layout.tag(alpine, tag)).toThrow();
    for (const key of ['../x', 'a/b']) expect(() => record.layout.listing(alpine, key)).toThrow();
    expect(() => record.layout.member(alpine, 'blobs', 'sha256:../../x' as Digest)).toThrow();
    expect(() => record.layout.member(alpine, 'blobs', '..:a' as Digest)).toThrow();
  });
});
