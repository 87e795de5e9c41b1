import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { referrersTag } from '../../src/oci/reference.ts';
import { codeOf, startHostedApp, type Answer, type HostedApp } from '../support/hosted-app.ts';
import {
  artifactOf,
  content,
  descriptorOf,
  imageOf,
  indexOf,
  seededImage,
  type Content,
  type Image,
} from '../support/images.ts';

let app: HostedApp;
let count = 0;
beforeAll(async () => {
  app = await startHostedApp();
});
afterAll(() => app.dispose());

function fresh(): string {
  return `local/test-${String((count += 1))}`;
}

function manifestsIn({ body }: Answer): Descriptor[] {
  return (JSON.parse(body.toString()) as { manifests: Descriptor[] }).manifests;
}

async function referrers(name: string, subject: Digest, query = ''): Promise<Descriptor[]> {
  const answer = await app.get(`/v2/${name}/referrers/${subject}${query}`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe(mediaTypes.ociIndex);
  expect(JSON.parse(answer.body.toString())).toMatchObject({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
  });
  return manifestsIn(answer);
}

async function push(name: string, image: Image, reference = image.manifest.digest as string) {
  await app.placeParts(name, image);
  const answer = await app.put(name, reference, image.manifest);
  expect(answer.status).toBe(201);
  return answer;
}

function sorted(...digests: Digest[]): Digest[] {
  return digests.toSorted();
}

function digestsOf(descriptors: readonly Descriptor[]): Digest[] {
  return descriptors.map(({ digest }) => digest);
}

/** An index of referrers, as a client without the referrers API pushes it. */
function listOf(...manifests: Content[]): Content {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: manifests.map((manifest) => descriptorOf(manifest)),
    annotations: { 'org.example.by': 'a client' },
  };
  return content(Buffer.from(JSON.stringify(document)), mediaTypes.ociIndex);
}

describe('what refers to a manifest', () => {
  it('is listed with its type and annotations, and confirmed when it is pushed', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image);
    const { digest } = image.manifest;
    expect(await referrers(name, digest)).toEqual([]);
    const signature = artifactOf(image.manifest, 'application/vnd.example.signature', 'signed');
    const pushed = await push(name, signature, 'signature');
    expect(pushed.headers.get('oci-subject')).toBe(digest);
    // Its config's type stands in for its own.
    const plain = imageOf({ plain: true }, []);
    const { artifactType: _, ...bare } = JSON.parse(signature.manifest.bytes.toString()) as {
      artifactType: string;
    };
    const document = { ...bare, config: descriptorOf(plain.blobs[0]!), annotations: undefined };
    const other: Image = {
      manifest: content(Buffer.from(JSON.stringify(document)), mediaTypes.ociManifest),
      children: [],
      blobs: [...signature.blobs, ...plain.blobs],
    };
    await push(name, other);
    for (const __ of ['now', 'restarted']) {
      const listed = await referrers(name, digest);
      expect(digestsOf(listed)).toEqual(sorted(signature.manifest.digest, other.manifest.digest));
      expect(listed).toContainEqual({
        ...descriptorOf(signature.manifest),
        artifactType: 'application/vnd.example.signature',
        annotations: { 'org.example.text': 'signed' },
      });
      expect(listed).toContainEqual({
        ...descriptorOf(other.manifest),
        artifactType: 'application/vnd.oci.image.config.v1+json',
      });
      await app.restart();
    }
  });

  it('may be an index, which has a type only where it says so', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image);
    const platforms = indexOf({ amd64: seededImage([10], 2) });
    const index = JSON.parse(platforms.manifest.bytes.toString()) as object;
    for (const more of [{}, { artifactType: 'application/vnd.example.sbom' }]) {
      const document = { ...index, ...more, subject: descriptorOf(image.manifest) };
      const bytes = Buffer.from(JSON.stringify(document));
      await push(name, { ...platforms, manifest: content(bytes, mediaTypes.ociIndex) });
    }
    const types = (await referrers(name, image.manifest.digest)).map((each) => each.artifactType);
    expect(new Set(types)).toEqual(new Set(['application/vnd.example.sbom', undefined]));
  });

  it('is filtered by its type, which the answer says', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image);
    const { digest } = image.manifest;
    const [one, two] = ['a/one', 'a/two'].map((type) => artifactOf(image.manifest, type, type));
    for (const artifact of [one!, two!]) await push(name, artifact);
    const path = `/v2/${name}/referrers/${digest}`;
    const filtered = await app.get(`${path}?artifactType=${encodeURIComponent('a/two')}`);
    expect(filtered.headers.get('oci-filters-applied')).toBe('artifactType');
    expect(digestsOf(manifestsIn(filtered))).toEqual([two!.manifest.digest]);
    const all = await app.get(path);
    expect(all.headers.get('oci-filters-applied')).toBeNull();
    expect(await referrers(name, digest, '?artifactType=a/none')).toEqual([]);
  });

  it('may refer to what is not there, and by a sha512 digest', async () => {
    const name = fresh();
    const nobody = { mediaType: mediaTypes.ociManifest, size: 5, bytes: Buffer.from('nobody') };
    const digest = digestOf(nobody.bytes, 'sha512');
    const artifact = artifactOf({ ...nobody, digest }, 'a/b', 'about nobody');
    const pushed = await push(name, artifact);
    expect(pushed.headers.get('oci-subject')).toBe(digest);
    expect(digestsOf(await referrers(name, digest))).toEqual([artifact.manifest.digest]);
    const fallback = await app.get(`/v2/${name}/manifests/${referrersTag(digest)}`);
    expect(digestsOf(manifestsIn(fallback))).toEqual([artifact.manifest.digest]);
  });

  it('is no list for a repository or a subject that is not there, and none for no digest', async () => {
    const digest = digestOf(Buffer.from('unknown'));
    expect(await referrers('local/nowhere', digest)).toEqual([]);
    const malformed = await app.get('/v2/local/nowhere/referrers/sha256:bad');
    expect([malformed.status, codeOf(malformed)]).toEqual([400, 'DIGEST_INVALID']);
  });

  it('belongs to its own repository', async () => {
    const [name, other] = [fresh(), fresh()];
    const image = seededImage([10], 1);
    await push(name, image);
    await push(name, artifactOf(image.manifest, 'a/b', 'secret'));
    expect(await referrers(other, image.manifest.digest)).toEqual([]);
    const tag = referrersTag(image.manifest.digest);
    expect((await app.get(`/v2/${other}/manifests/${tag}`)).status).toBe(404);
  });

  it('goes when it is deleted, and stays when its subject is', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image);
    const { digest } = image.manifest;
    const [one, two] = ['one', 'two'].map((text) => artifactOf(image.manifest, 'a/b', text));
    for (const artifact of [one!, two!]) await push(name, artifact);
    const deleted = await app.ask('DELETE', `/v2/${name}/manifests/${one!.manifest.digest}`);
    expect(deleted.status).toBe(202);
    expect(digestsOf(await referrers(name, digest))).toEqual([two!.manifest.digest]);
    expect((await app.ask('DELETE', `/v2/${name}/manifests/${digest}`)).status).toBe(202);
    expect(digestsOf(await referrers(name, digest))).toEqual([two!.manifest.digest]);
    await app.restart();
    expect(digestsOf(await referrers(name, digest))).toEqual([two!.manifest.digest]);
  });

  it('comes in pages where it is too much for one answer', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image);
    const config = artifactOf(image.manifest, 'a/b', 'x').blobs[0]!;
    const layer = artifactOf(image.manifest, 'a/b', 'x').blobs[1]!;
    const pushed: Digest[] = [];
    for (let index = 0; index < 5; index += 1) {
      const document = {
        schemaVersion: 2,
        artifactType: index === 0 ? 'a/small' : 'a/large',
        config: descriptorOf(config),
        layers: [descriptorOf(layer)],
        subject: descriptorOf(image.manifest),
        annotations: { index: String(index).repeat(index === 0 ? 1 : 1_500_000) },
      };
      const manifest = content(Buffer.from(JSON.stringify(document)), mediaTypes.ociManifest);
      await push(name, { manifest, children: [], blobs: [config, layer] });
      pushed.push(manifest.digest);
    }
    const pages: Digest[][] = [];
    let path: string | undefined = `/v2/${name}/referrers/${image.manifest.digest}`;
    while (path !== undefined) {
      const page: Answer = await app.get(path);
      expect(page.body.length).toBeLessThanOrEqual(4 * 1024 * 1024);
      pages.push(digestsOf(manifestsIn(page)));
      path = /^<(\/.*)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1];
    }
    expect(pages.length).toBeGreaterThan(1);
    expect(pages.flat()).toEqual(pushed.toSorted());
    const small = await app.get(
      `/v2/${name}/referrers/${image.manifest.digest}?artifactType=a/small`,
    );
    expect(small.headers.get('link')).toBeNull();
    expect(manifestsIn(small)).toHaveLength(1);
    const large = await app.get(
      `/v2/${name}/referrers/${image.manifest.digest}?artifactType=a/large`,
    );
    expect(large.headers.get('link')).toContain('artifactType=a%2Flarge&last=sha256');
  });
});

describe('the tag for referrers of clients without the API', () => {
  it('is made up where nobody has pushed it, is pulled by its digest too, and is in no list', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image, 'v1');
    const tag = referrersTag(image.manifest.digest);
    const path = `/v2/${name}/manifests/${tag}`;
    const before = await app.get(path);
    expect([before.status, codeOf(before)]).toEqual([404, 'MANIFEST_UNKNOWN']);
    const artifact = artifactOf(image.manifest, 'a/b', 'x');
    await push(name, artifact);
    const made = await app.get(path);
    expect(made.status).toBe(200);
    expect(made.headers.get('content-type')).toBe(mediaTypes.ociIndex);
    expect(manifestsIn(made)).toEqual(await referrers(name, image.manifest.digest));
    const digest = made.headers.get('docker-content-digest');
    expect(digest).toBe(digestOf(made.body));
    const head = await app.ask('HEAD', path);
    expect(head.headers.get('docker-content-digest')).toBe(digest);
    const named = await app.get(`/v2/${name}/manifests/${digest}`);
    expect(named.body.equals(made.body)).toBe(true);
    expect((await app.get(`/v2/${fresh()}/manifests/${digest}`)).status).toBe(404);
    const tags = await app.get(`/v2/${name}/tags/list`);
    expect(tags.body.toString()).toBe(`{"name":"${name}","tags":["v1"]}`);
    expect((await app.ask('DELETE', path)).status).toBe(404);
  });

  it('is kept in step, where a client has pushed it, as referrers come and go', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image);
    const { digest } = image.manifest;
    const tag = referrersTag(digest);
    const path = `/v2/${name}/manifests/${tag}`;
    const [one, two] = ['one', 'two'].map((text) => artifactOf(image.manifest, 'a/b', text));
    await push(name, one!);
    const pushed = listOf(one!.manifest);
    expect((await app.put(name, tag, pushed)).status).toBe(201);
    expect((await app.get(path)).body.equals(pushed.bytes)).toBe(true);

    await push(name, two!);
    const renewed = await app.get(path);
    expect(digestsOf(manifestsIn(renewed))).toEqual(
      sorted(one!.manifest.digest, two!.manifest.digest),
    );
    // What else the client has put into it stays.
    expect(JSON.parse(renewed.body.toString())).toMatchObject({
      annotations: { 'org.example.by': 'a client' },
    });
    // Nobody needs the one before.
    expect((await app.get(`/v2/${name}/manifests/${pushed.digest}`)).status).toBe(404);

    await app.restart();
    const gone = await app.ask('DELETE', `/v2/${name}/manifests/${one!.manifest.digest}`);
    expect(gone.status).toBe(202);
    expect(digestsOf(manifestsIn(await app.get(path)))).toEqual([two!.manifest.digest]);
    await app.ask('DELETE', `/v2/${name}/manifests/${two!.manifest.digest}`);
    expect((await app.get(path)).status).toBe(404);
    expect(await referrers(name, digest)).toEqual([]);
  });

  it('adds to the list of the API what only a client has put there', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image);
    const { digest } = image.manifest;
    const artifact = artifactOf(image.manifest, 'a/b', 'x');
    await push(name, artifact);
    const other = seededImage([10], 2);
    await push(name, other);
    await app.put(name, referrersTag(digest), listOf(other.manifest));
    expect(digestsOf(await referrers(name, digest))).toEqual(
      sorted(artifact.manifest.digest, other.manifest.digest),
    );
    // What was deleted is no referrer, whatever the index says.
    await app.ask('DELETE', `/v2/${name}/manifests/${referrersTag(digest)}`);
    expect(digestsOf(await referrers(name, digest))).toEqual([artifact.manifest.digest]);
  });

  it('leaves alone an image that goes by such a name', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image);
    const tag = referrersTag(image.manifest.digest);
    const other = seededImage([10], 2);
    await push(name, other, tag);
    const artifact = artifactOf(image.manifest, 'a/b', 'x');
    await push(name, artifact);
    const tagged = await app.get(`/v2/${name}/manifests/${tag}`);
    expect(tagged.body.equals(other.manifest.bytes)).toBe(true);
    const { digest } = image.manifest;
    expect(digestsOf(await referrers(name, digest))).toEqual([artifact.manifest.digest]);
  });

  it('does not hold a referrer that is to be deleted, while an index of platforms does', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await push(name, image);
    const [one, two] = ['one', 'two'].map((text) => artifactOf(image.manifest, 'a/b', text));
    const tag = referrersTag(image.manifest.digest);
    for (const artifact of [one!, two!]) await push(name, artifact);
    // Two versions, as clients push them one after the other: the first loses its tag.
    await app.put(name, tag, listOf(one!.manifest));
    await app.put(name, tag, listOf(one!.manifest, two!.manifest));
    await app.put(name, 'bundle', listOf(two!.manifest));
    const path = (artifact: Image): string => `/v2/${name}/manifests/${artifact.manifest.digest}`;
    expect((await app.ask('DELETE', path(one!))).status).toBe(202);
    const held = await app.ask('DELETE', path(two!));
    expect([held.status, codeOf(held)]).toEqual([403, 'DENIED']);
  });
});
