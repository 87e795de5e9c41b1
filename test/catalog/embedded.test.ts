import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { parseRepositoryName, qualify } from '../../src/oci/repository-name.ts';
import { catalogContract } from '../contract/catalog.ts';
import { openCatalog } from './support.ts';

catalogContract('without a shared cache', async () => {
  const test = await openCatalog((directory, observer) => createCatalog({ directory, observer }));
  return {
    catalog: test.catalog,
    reopen: () => test.reopen(),
    async [Symbol.asyncDispose]() {
      await test[Symbol.asyncDispose]();
      expect(test.observer.errors).toEqual([]);
      expect(test.observer.states).toEqual([]);
    },
  };
});

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
