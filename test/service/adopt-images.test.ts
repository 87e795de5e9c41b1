import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { AdoptingPart, RepositoryContent } from '../../src/bundle/adoption.ts';
import { CachedPart } from '../../src/bundle/cached-part.ts';
import { trustsAll } from '../../src/bundle/trust.ts';
import { PinRecord } from '../../src/catalog/pin-record.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Tag } from '../../src/oci/reference.ts';
import type { QualifiedName } from '../../src/oci/repository-name.ts';
import { adoptImages } from '../../src/service/adopt-images.ts';
import { bundleOf } from '../support/bundle.ts';
import { imageOf, layerOf } from '../support/images.ts';
import { readInto } from '../support/read-archive.ts';
import { createScaffold, type Scaffold } from '../support/scaffold.ts';

const layer = layerOf(50_000, 1);
const image = imageOf({}, [layer]);
const repository = 'docker.io/library/krill' as QualifiedName;

let scaffold: Scaffold;
let shielded: ReadonlySet<Digest> | undefined;
beforeEach(async () => {
  scaffold = await createScaffold();
  shielded = undefined;
});
afterEach(() => scaffold.dispose());

const evictor = {
  shield: (digests: ReadonlySet<Digest>): Disposable => {
    shielded = digests;
    return { [Symbol.dispose]: () => void (shielded = undefined) };
  },
};

/** Takes in the image; something happens before it is put on record. */
async function adopt(meanwhile: () => Promise<unknown>): Promise<void> {
  const { layout, store, catalog, cache } = scaffold;
  const { staged, release } = await readInto(
    layout.root,
    bundleOf([{ name: `${repository}:1`, image }]),
  );
  release();
  class Disturbed extends CachedPart {
    override async addManifests(content: RepositoryContent): Promise<void> {
      await meanwhile();
      await super.addManifests(content);
    }
  }
  const cached = new Disturbed({ layout, store, catalog, put: (each) => cache.put(each) });
  const options = {
    root: layout.root,
    parts: { cached, hosted: cached as AdoptingPart },
    names: {
      upstreams: new Map([['docker.io', 'docker.io']]),
      defaultUpstream: 'docker.io',
      isHosted: () => false,
    },
    trust: trustsAll,
    isOpen: true,
    pins: new PinRecord(layout.root),
    evictor,
    adopted: () => undefined,
  };
  for await (const _event of adoptImages(options, { staged, pin: false }));
}

it('keeps all that comes in from being evicted until it is there', async () => {
  const seen: unknown[] = [];
  await adopt(async () => void seen.push(shielded));
  expect(seen).toEqual([
    new Set([image.manifest.digest, ...image.blobs.map(({ digest }) => digest)]),
  ]);
  expect(shielded).toBeUndefined();
  expect(await scaffold.catalog.tag(repository, '1' as Tag)).toMatchObject({
    digest: image.manifest.digest,
  });
});

it('gives no image its tag of which somebody has taken a part away meanwhile', async () => {
  const { store, catalog } = scaffold;
  // As a purge does of what nothing on record needs.
  const adopting = adopt(() => store.delete(layer.digest));
  await expect(adopting).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('import again'),
  });
  expect(await catalog.tag(repository, '1' as Tag)).toBeUndefined();
  await adopt(() => Promise.resolve());
  expect(await catalog.tag(repository, '1' as Tag)).toBeDefined();
});
