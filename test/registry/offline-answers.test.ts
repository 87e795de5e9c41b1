import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import type { Reference, Tag } from '../../src/oci/reference.ts';
import { MissingImages, type Sighting } from '../../src/registry/missing-images.ts';
import { OfflineAnswers } from '../../src/registry/offline-answers.ts';
import { isStillMissing } from '../../src/registry/still-missing.ts';
import { imageOf, indexOf, seededImage, type Image } from '../support/images.ts';
import { createScaffold, type Scaffold } from '../support/scaffold.ts';

const name = 'docker.io/library/nginx';
const amd64 = seededImage([1_000, 2_000], 1);
const arm64 = seededImage([1_000], 2);
const nginx = indexOf({ amd64, arm64 });
const offline = new RegistryError('UPSTREAM_OFFLINE');

let scaffold: Scaffold;
let answers: OfflineAnswers;
let noted: Sighting[];
beforeEach(async () => {
  scaffold = await createScaffold();
  const { catalog, store } = scaffold;
  noted = [];
  answers = new OfflineAnswers({
    catalog,
    read: (digest, limit) => store.read(digest, limit),
    missed: (sighting) => void noted.push(sighting),
  });
});
afterEach(() => scaffold.dispose());

/** Has an image cached as pulls of it would leave it, manifests alone. */
const cache = async (image: Image, reference: Reference): Promise<void> => {
  const { hub, manifests, route } = scaffold;
  for (const { bytes, mediaType, digest } of [image.manifest, ...image.children]) {
    hub.manifests.set(`library/nginx@${digest}`, { bytes, mediaType });
    if (digest === image.manifest.digest) {
      hub.manifests.set(`library/nginx:${reference}`, { bytes, mediaType });
    }
  }
  await manifests.get(route('nginx'), reference);
};
const ofManifest = async (reference: string): Promise<RegistryError> =>
  (await answers.ofManifest(
    scaffold.offlineRoute('nginx'),
    reference as Reference,
    offline,
  )) as RegistryError;
const ofBlob = async (digest: Digest): Promise<RegistryError> =>
  (await answers.ofBlob(scaffold.offlineRoute('nginx'), digest, offline)) as RegistryError;

describe('a manifest that is not here', () => {
  it('is named as people write it, with what brings it, under the code that clients know', async () => {
    const error = await ofManifest('1.27');
    expect([error.code, error.status]).toEqual(['UPSTREAM_OFFLINE', 404]);
    expect(error.toJSON().errors[0]).toEqual({
      code: 'MANIFEST_UNKNOWN',
      message:
        'docker.io/library/nginx:1.27 is not here, and docker.io is configured offline: on the connected side run ' +
        '"baleen warm docker.io/library/nginx:1.27" and "baleen export", then "baleen import" here',
      detail: { images: ['docker.io/library/nginx:1.27'] },
    });
    expect(noted).toEqual([{ image: `${name}:1.27` }]);
  });

  it('is noted by its own digest where its index is here, with the tag and the platform', async () => {
    await cache(nginx, '1.27' as Tag);
    const child = nginx.children[1]!.digest;
    const error = await ofManifest(child);
    expect(error.message).toContain(`${name}@${child} (linux/arm64 of ${name}:1.27) is not here`);
    expect(noted).toEqual([
      { image: `${name}@${child}`, tags: [`${name}:1.27`], platform: 'linux/arm64' },
    ]);
  });

  it('is named as it was meant where its registry is not configured here', async () => {
    const route = scaffold.offlineRoute('quay.io/org/tool');
    const error = await answers.ofManifest(route, '1.0' as Tag, offline);
    expect((error as RegistryError).message).toContain(
      'quay.io/org/tool:1.0 is not here, and quay.io is not among the upstreams (add it, with offline: true): ' +
        'on the connected side run "baleen warm quay.io/org/tool:1.0"',
    );
    expect(noted).toEqual([{ image: 'quay.io/org/tool:1.0' }]);
  });

  it('is noted by a digest that nothing here names', async () => {
    const digest = digestOf(Buffer.from('unheard of'));
    await ofManifest(digest);
    expect(noted).toEqual([{ image: `${name}@${digest}` }]);
  });

  it.each(['', '.sig', '.att', '.sbom'])(
    'is not noted where clients look for signatures, under sha256-…%s',
    async (suffix) => {
      const error = await ofManifest(`sha256-${'a'.repeat(64)}${suffix}`);
      expect(error.toJSON().errors[0].code).toBe('MANIFEST_UNKNOWN');
      expect(noted).toEqual([]);
    },
  );
});

describe('a blob that is not here', () => {
  it('is noted as the image whose manifest names it', async () => {
    await cache(nginx, '1.27' as Tag);
    await scaffold.manifests.get(scaffold.route('nginx'), amd64.manifest.digest);
    const blob = amd64.blobs[2]!.digest;
    const error = await ofBlob(blob);
    const image = `${name}@${amd64.manifest.digest}`;
    expect(error.toJSON().errors[0].code).toBe('BLOB_UNKNOWN');
    expect(error.message).toContain(
      `${image} (linux/amd64 of ${name}:1.27) is here, but for its blob ${blob}`,
    );
    expect(error.message).toContain(`"baleen warm ${image}"`);
    expect(noted).toEqual([
      { image, tags: [`${name}:1.27`], platform: 'linux/amd64', blobs: [blob] },
    ]);
  });

  it('is noted as every image that names it, those that have a tag first', async () => {
    const layer = amd64.blobs[1]!;
    const [untagged, tagged] = ['one', 'two'].map((note) => imageOf({ note }, [layer]));
    await cache(untagged!, untagged!.manifest.digest);
    await cache(tagged!, '1.26' as Tag);
    await ofBlob(layer.digest);
    const images = [tagged!, untagged!].map(({ manifest }) => `${name}@${manifest.digest}`);
    expect(noted).toEqual([
      { image: images[0], tags: [`${name}:1.26`], blobs: [layer.digest] },
      { image: images[1], tags: [], blobs: [layer.digest] },
    ]);
  });

  it('is not noted where no image here names it, and nothing is read to find out', async () => {
    const { catalog } = scaffold;
    catalog.members = () => Promise.reject(new Error('nobody should look'));
    const digest = digestOf(Buffer.from('unheard of'));
    expect((await ofBlob(digest)).message).toContain(`${digest} of ${name} is not here`);
    expect(noted).toEqual([]);
  });

  it('is told in plain words where many repositories are being read already', async () => {
    const { catalog, route, manifests, hub } = scaffold;
    const { bytes, mediaType } = amd64.manifest;
    const repositories = ['a', 'b', 'c', 'd', 'e'].map((each) => `library/${each}`);
    for (const repository of repositories) {
      hub.manifests.set(`${repository}:1`, { bytes, mediaType });
      await manifests.get(route(repository), '1' as Tag);
    }
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const members = catalog.members.bind(catalog);
    catalog.members = async (...given) => {
      await gate;
      return members(...given);
    };
    const blob = amd64.blobs[1]!.digest;
    const told = repositories.map(async (repository) => {
      const answer = await answers.ofBlob(scaffold.offlineRoute(repository), blob, offline);
      return (answer as RegistryError).message.includes('but for its blob');
    });
    expect(await told[4]).toBe(false);
    open();
    expect(await Promise.all(told)).toEqual([true, true, true, true, false]);
    const later = await answers.ofBlob(scaffold.offlineRoute('library/e'), blob, offline);
    expect((later as RegistryError).message).toContain('but for its blob');
  });

  it('is refused all the same where the disk does not let anybody look', async () => {
    await cache(amd64, '1.27' as Tag);
    scaffold.catalog.members = () => Promise.reject(new Error('EIO'));
    expect((await ofBlob(amd64.blobs[1]!.digest)).toJSON().errors[0].code).toBe('BLOB_UNKNOWN');
  });
});

it('leaves every other failure as it is', async () => {
  const route = scaffold.offlineRoute('nginx');
  const error = new RegistryError('UNAVAILABLE');
  expect(await answers.ofManifest(route, '1.27' as Tag, error)).toBe(error);
  expect(await answers.ofBlob(route, amd64.blobs[0]!.digest, error)).toBe(error);
  expect(noted).toEqual([]);
});

describe('what was missing', () => {
  const check = (sighting: Sighting): Promise<boolean> => {
    const { catalog, store } = scaffold;
    const missing = new MissingImages();
    missing.note(sighting);
    return isStillMissing(missing.all()[0]!, { catalog, sizeOf: (digest) => store.stat(digest) });
  };

  it('is missing until it is on record, and its bytes are there', async () => {
    const { layout } = scaffold;
    const { digest } = amd64.manifest;
    const [byTag, byDigest] = [{ image: `${name}:1.27` }, { image: `${name}@${digest}` }];
    expect(await Promise.all([check(byTag), check(byDigest)])).toEqual([true, true]);
    await cache(amd64, '1.27' as Tag);
    expect(await Promise.all([check(byTag), check(byDigest)])).toEqual([false, false]);
    await rm(layout.blob(digest));
    expect(await Promise.all([check(byTag), check(byDigest)])).toEqual([true, true]);
  });

  it('is missing until every blob that was asked for is there', async () => {
    const { store } = scaffold;
    await cache(amd64, '1.27' as Tag);
    const [config, layer] = amd64.blobs;
    const image = `${name}@${amd64.manifest.digest}`;
    await store.put(config!.digest, config!.bytes);
    expect(await check({ image, blobs: [config!.digest] })).toBe(false);
    expect(await check({ image, blobs: [config!.digest, layer!.digest] })).toBe(true);
  });
});
