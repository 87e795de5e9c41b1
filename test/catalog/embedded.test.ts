import { mkdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import { RecordLayout } from '../../src/catalog/record-layout.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { hostedUpstream, parseRepositoryName, qualify } from '../../src/oci/repository-name.ts';
import { catalogContract, type CatalogUnderTest } from '../contract/catalog.ts';
import { openCatalog } from './support.ts';

for (const onlyRecorded of [false, true]) {
  catalogContract(`${onlyRecorded ? 'only what is recorded, ' : ''}without a shared cache`, () =>
    open(onlyRecorded),
  );
}

async function open(onlyRecorded: boolean): Promise<CatalogUnderTest> {
  const test = await openCatalog((directory, observer) =>
    createCatalog({ directory, observer, onlyRecorded }),
  );
  return {
    catalog: test.catalog,
    reopen: () => test.reopen(),
    async [Symbol.asyncDispose]() {
      await test[Symbol.asyncDispose]();
      expect(test.observer.errors).toEqual([]);
      expect(test.observer.states).toEqual([]);
    },
  };
}

it('knows only what is on record where nothing else counts, and writes it as soon as it can', async () => {
  await using test = await openCatalog((directory, observer) =>
    createCatalog({ directory, onlyRecorded: true, observer }),
  );
  await mkdir(test.directory, { recursive: true });
  const obstacle = join(test.directory, 'tmp');
  await writeFile(obstacle, 'in the way');
  const repository = qualify('_hosted', parseRepositoryName('local/app'));
  const digest = digestOf(Buffer.from('{}'));
  const mediaType = 'application/octet-stream';
  const member = { digest, mediaType, size: 2 };
  const tag = { ...member, checkedAt: Date.now() };
  const { catalog } = test;
  for (const _ of ['once', 'again']) {
    await expect(catalog.link(repository, 'blobs', [member])).rejects.toThrow('written');
    await expect(catalog.putTag(repository, 'edge' as Tag, tag)).rejects.toThrow('written');
    expect(await catalog.linked(repository, 'blobs', digest)).toBeUndefined();
    expect(await catalog.tag(repository, 'edge' as Tag)).toBeUndefined();
  }
  await rm(obstacle);
  await catalog.link(repository, 'blobs', [member]);
  expect(await catalog.linked(repository, 'blobs', digest)).toEqual(member);
  expect(await (await test.reopen()).linked(repository, 'blobs', digest)).toEqual(member);
});

it('writes a membership again where nothing else counts, whatever became of its file meanwhile', async () => {
  await using test = await openCatalog((directory, observer) =>
    createCatalog({ directory, onlyRecorded: true, observer }),
  );
  const repository = qualify('_hosted', parseRepositoryName('local/app'));
  const digest = digestOf(Buffer.from('{}'));
  const member = { digest, mediaType: 'application/json', size: 2 };
  const path = new RecordLayout(test.directory).member(repository, 'manifests', digest);
  for (const spoil of [
    () => writeFile(path, 'rotten'),
    () => rm(path),
    () => utimes(path, new Date(0), new Date(0)),
  ]) {
    await test.catalog.link(repository, 'manifests', [member]);
    await spoil();
    await test.catalog.link(repository, 'manifests', [member]);
    expect(await (await test.reopen()).linked(repository, 'manifests', digest)).toEqual(member);
    // What is linked counts from now.
    expect((await stat(path)).mtimeMs).toBeGreaterThan(0);
  }
});

it('knows what the disk refuses to record, and says that it is not recorded', async () => {
  await using test = await openCatalog((directory, observer) =>
    createCatalog({ directory, observer }),
  );
  await mkdir(test.directory, { recursive: true });
  // Nothing can be written on its way to the record.
  await writeFile(join(test.directory, 'tmp'), 'in the way');
  const repository = qualify('docker.io', parseRepositoryName('library/alpine'));
  const digest = digestOf(Buffer.from('{}'));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const tag = { digest, mediaType, size: 2, checkedAt: Date.now() };
  const member = { digest, mediaType, size: 2 };
  const { catalog } = test;
  const refused = expect.objectContaining({ code: 'UNKNOWN' });
  await expect(catalog.putTag(repository, 'edge' as Tag, tag)).rejects.toEqual(refused);
  await expect(catalog.link(repository, 'manifests', [member])).rejects.toEqual(refused);
  expect(await catalog.tag(repository, 'edge' as Tag)).toEqual(tag);
  expect(await catalog.linked(repository, 'manifests', digest)).toEqual(member);
});

describe('a catalog where only what is recorded counts', () => {
  const repository = qualify(hostedUpstream, parseRepositoryName('local/app'));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const edge = 'edge' as Tag;
  const [old, young] = ['old', 'young'].map((text) => digestOf(Buffer.from(text)));
  const tagOf = (digest = old!) => ({ digest, mediaType, size: 3, checkedAt: Date.now() });
  const refused = expect.objectContaining({ code: 'UNAVAILABLE' });
  const openStrict = () =>
    openCatalog((directory, observer) =>
      createCatalog({ directory, observer, onlyRecorded: true }),
    );

  it('does not take for true what the disk refused', async () => {
    await using test = await openStrict();
    const { catalog, directory } = test;
    const before = tagOf(old);
    await catalog.putTag(repository, edge, before);
    const temporary = join(directory, 'tmp');
    await rm(temporary, { recursive: true });
    await writeFile(temporary, 'in the way');
    await expect(catalog.putTag(repository, edge, tagOf(young))).rejects.toEqual(refused);
    const member = { digest: young!, mediaType, size: 3 };
    await expect(catalog.link(repository, 'manifests', [member])).rejects.toEqual(refused);
    expect(await catalog.tag(repository, edge)).toEqual(before);
    expect(await catalog.linked(repository, 'manifests', young!)).toBeUndefined();
    await rm(temporary);
    await catalog.link(repository, 'manifests', [member]);
    expect(await catalog.linked(repository, 'manifests', young!)).toEqual(member);
  });

  it('fails where the disk does not let it look, and finds it all when it does again', async () => {
    await using test = await openStrict();
    const { catalog, directory, observer } = test;
    const folder = join(directory, 'repositories', repository);
    await mkdir(folder, { recursive: true });
    for (const name of ['_tags', '_manifests', '_blobs']) await symlink(name, join(folder, name));
    await expect(catalog.tag(repository, edge)).rejects.toEqual(refused);
    await expect(catalog.linked(repository, 'blobs', old!)).rejects.toEqual(refused);
    await expect(catalog.tags(repository)).rejects.toEqual(refused);
    await expect(catalog.members(repository, 'manifests')).rejects.toEqual(refused);
    expect(observer.operations).toEqual(['record.read', 'record.list']);
    for (const name of ['_tags', '_manifests', '_blobs']) await rm(join(folder, name));
    await catalog.putTag(repository, edge, tagOf());
    expect(await catalog.tags(repository)).toEqual([edge]);
  });

  it('takes a file that says nothing for absent, so that it can be written anew', async () => {
    await using test = await openStrict();
    const { catalog, directory, observer } = test;
    const folder = join(directory, 'repositories', repository, '_tags');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, edge), '{"digest":');
    expect(await catalog.tag(repository, edge)).toBeUndefined();
    expect(observer.operations).toEqual(['record.read']);
    const tag = tagOf();
    await catalog.putTag(repository, edge, tag);
    expect(await catalog.tag(repository, edge)).toEqual(tag);
  });
});
