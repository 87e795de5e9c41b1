import { expect, it } from '@jest/globals';
import { loadConfig } from '../../src/config/load.ts';
import { createAssertRoom } from '../../src/service/import-room.ts';
import type { BundleGraph } from '../../src/bundle/bundle-graph.ts';
import { descriptorOf, imageOf, layerOf } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

const resources = testResources();
const image = imageOf({}, [layerOf(970_000, 1)]);
const manifest = descriptorOf(image.manifest);
const index = {
  version: 1 as const,
  index: { digest: manifest.digest, size: 1 },
  images: [{ name: 'docker.io/library/krill:1', ...manifest, platforms: [] }],
  referrers: [],
  manifests: [manifest],
  blobs: image.blobs.map((blob) => ({ ...descriptorOf(blob), included: true })),
};
const graph = {
  closureOf: () => ({ manifests: [manifest], blobs: image.blobs.map(descriptorOf) }),
} as unknown as BundleGraph;

it('is what is left below the low watermark, but for what will be pinned', async () => {
  const env = {
    BALEEN_STORAGE_DIRECTORY: resources.use(tempDir('data')).path,
    BALEEN_STORAGE_MAX_SIZE: '1MiB',
  };
  const config = loadConfig({ env });
  const unpinned = createAssertRoom(config, undefined, false)(index, graph, 0);
  await expect(unpinned).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('without --pin'),
  });
  await createAssertRoom(config, undefined, true)(index, graph, 0);
});
