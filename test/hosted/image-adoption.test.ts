import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { MemberFiles } from '../../src/catalog/member-files.ts';
import { RecordLayout } from '../../src/catalog/record-layout.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseRepositoryName, qualify } from '../../src/oci/repository-name.ts';
import { openHostedWorkbench, type HostedWorkbench } from '../../src/service/hosted-workbench.ts';
import { Layout } from '../../src/store/layout.ts';
import { descriptorOf, imageOf, layerOf } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

const resources = testResources();
const layer = layerOf(5_000, 1);
const image = imageOf({}, [layer]);
const repository = parseRepositoryName('local/krill');
const key = qualify('_hosted', repository);
const content = {
  key,
  repository,
  manifests: [descriptorOf(image.manifest)],
  blobs: image.blobs.map(descriptorOf),
  tags: [],
  read: () => Promise.resolve(image.manifest),
};

let data: string;
let hosted: HostedWorkbench;
beforeEach(async () => {
  data = resources.use(tempDir('hosted')).path;
  await mkdir(new Layout(data, 'hosted').temporary, { recursive: true });
  const config = loadConfig({ env: { BALEEN_STORAGE_DIRECTORY: data } });
  const observer = { error() {}, up() {} };
  hosted = await openHostedWorkbench(config, observer, () => Promise.resolve());
});
afterEach(async () => hosted[Symbol.asyncDispose]());

/** Brings all blobs of the image. */
async function addBlobs(): Promise<void> {
  for (const { bytes, ...blob } of image.blobs) {
    const path = join(data, blob.digest.replace(':', '-'));
    await writeFile(path, bytes);
    const source = { path, isVerified: true };
    await hosted.adoption.addBlob(content, { ...blob, size: bytes.length }, source);
  }
}

it('begins the lease of a blob anew that was there, and that nothing needed any more', async () => {
  await addBlobs();
  const { root } = new Layout(data, 'hosted');
  const long = new Date(Date.now() - 30 * 86_400_000);
  await utimes(new RecordLayout(root).member(key, 'blobs', layer.digest), long, long);
  const before = Date.now() - 60_000;
  await addBlobs();
  const time = await new MemberFiles(root).time(key, 'blobs', layer.digest);
  expect(time).toBeGreaterThan(before);
});

it('puts no manifest on record of which a client has deleted a blob meanwhile', async () => {
  const { adoption, catalog } = hosted;
  await addBlobs();
  await catalog.unlink(key, 'blobs', [layer.digest]);
  await expect(adoption.addManifests(content)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const manifests = new MemberFiles(new Layout(data, 'hosted').root);
  expect(await manifests.time(key, 'manifests', image.manifest.digest)).toBeUndefined();
  await addBlobs();
  await adoption.addManifests(content);
  expect(await manifests.time(key, 'manifests', image.manifest.digest)).toBeDefined();
});
