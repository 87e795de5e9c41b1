import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { referrersTag } from '../../src/oci/reference.ts';
import { startHostedApp, type Answer, type HostedApp } from '../support/hosted-app.ts';
import {
  artifactOf,
  content,
  descriptorOf,
  imageOf,
  indexOf,
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

/** Images that share their config, so that only manifests are to be written. */
function variants(howMany: number): Image[] {
  const image = imageOf({ shared: true }, []);
  const document = JSON.parse(image.manifest.bytes.toString()) as object;
  return Array.from({ length: howMany }, (_, nr) => {
    const bytes = Buffer.from(JSON.stringify({ ...document, annotations: { nr: String(nr) } }));
    return { ...image, manifest: content(bytes, image.manifest.mediaType) };
  });
}

function remove(name: string, reference: string): Promise<Answer> {
  return app.ask('DELETE', `/v2/${name}/manifests/${reference}`);
}

/** What a tag names, where there is one, has to be there by its digest, too. */
async function assertTagsResolve(name: string): Promise<void> {
  const listed = await app.get(`/v2/${name}/tags/list`);
  if (listed.status === 404) return;
  const { tags } = JSON.parse(listed.body.toString()) as { tags: string[] };
  for (const tag of tags) {
    const tagged = await app.get(`/v2/${name}/manifests/${tag}`);
    expect(tagged.status).toBe(200);
    const digest = tagged.headers.get('docker-content-digest')!;
    const named = await app.get(`/v2/${name}/manifests/${digest}`);
    expect(named.body.equals(tagged.body)).toBe(true);
  }
}

describe('at the same time', () => {
  it('a hundred pushes of one tag all succeed, and the tag names one of them', async () => {
    const name = fresh();
    const images = variants(100);
    await app.placeParts(name, images[0]!);
    const answers = await Promise.all(images.map(({ manifest }) => app.put(name, 'v1', manifest)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    for (const _ of ['now', 'restarted']) {
      const tagged = await app.get(`/v2/${name}/manifests/v1`);
      const digest = tagged.headers.get('docker-content-digest');
      expect(images.map(({ manifest }) => manifest.digest)).toContain(digest);
      for (const { manifest } of images) {
        const named = await app.get(`/v2/${name}/manifests/${manifest.digest}`);
        expect(named.body.equals(manifest.bytes)).toBe(true);
      }
      await app.restart();
    }
  });

  it('pushes and deletions of one image leave no tag without its image', async () => {
    const name = fresh();
    const [image, other] = variants(2);
    await app.placeParts(name, image!);
    for (let round = 0; round < 20; round += 1) {
      const [pushed, moved, deleted, untagged] = await Promise.all([
        app.put(name, 'v1', image!.manifest),
        app.put(name, 'v1', other!.manifest),
        remove(name, image!.manifest.digest),
        remove(name, 'v1'),
      ]);
      expect([pushed.status, moved.status]).toEqual([201, 201]);
      for (const { status } of [deleted, untagged]) expect([202, 404]).toContain(status);
      await assertTagsResolve(name);
    }
    await app.restart();
    await assertTagsResolve(name);
  });

  it('an index is pushed or its platform deleted, never both', async () => {
    for (let round = 0; round < 20; round += 1) {
      const name = fresh();
      const index = indexOf({ amd64: variants(1)[0]! });
      await app.placeParts(name, index);
      const child = index.children[0]!.digest;
      const push = (): Promise<Answer> => app.put(name, 'v1', index.manifest);
      const drop = (): Promise<Answer> => remove(name, child);
      const [pushed, deleted] =
        round % 2 === 0
          ? await Promise.all([push(), drop()])
          : (await Promise.all([drop(), push()])).toReversed();
      const outcome = `${String(pushed!.status)} ${String(deleted!.status)}`;
      expect(['201 403', '404 202']).toContain(outcome);
      await assertTagsResolve(name);
      const found = await app.get(`/v2/${name}/manifests/${child}`);
      expect(found.status).toBe(pushed!.status === 201 ? 200 : 404);
    }
  });

  it('no artifact that is pushed is lost, nor one that was deleted kept, by API and by tag', async () => {
    const name = fresh();
    const image = variants(1)[0]!;
    await app.placeParts(name, image);
    await app.put(name, 'v1', image.manifest);
    const artifacts = Array.from({ length: 30 }, (_, nr) =>
      artifactOf(image.manifest, 'a/b', String(nr)),
    );
    for (const artifact of artifacts) await app.placeParts(name, artifact);
    const [first, ...more] = artifacts;
    const tag = referrersTag(image.manifest.digest);
    await app.put(name, first!.manifest.digest, first!.manifest);
    const list = { schemaVersion: 2, manifests: [descriptorOf(first!.manifest)] };
    const bytes = Buffer.from(JSON.stringify(list));
    await app.put(name, tag, content(bytes, 'application/vnd.oci.image.index.v1+json'));
    const answers = await Promise.all([
      ...more.map(({ manifest }) => app.put(name, manifest.digest, manifest)),
      remove(name, first!.manifest.digest),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([...more.map(() => 201), 202]);
    const wanted = more.map(({ manifest }) => manifest.digest).toSorted();
    for (const _ of ['now', 'restarted']) {
      for (const path of [`referrers/${image.manifest.digest}`, `manifests/${tag}`]) {
        const { body } = await app.get(`/v2/${name}/${path}`);
        const { manifests } = JSON.parse(body.toString()) as { manifests: Descriptor[] };
        expect(manifests.map(({ digest }): Digest => digest).toSorted()).toEqual(wanted);
      }
      await app.restart();
    }
  });

  it('an immutable tag is given to one of those who push it first, and to nobody else', async () => {
    await app.configure({ rules: [{ tags: ['v*'], immutable: true }] });
    const name = fresh();
    const images = variants(20);
    await app.placeParts(name, images[0]!);
    const answers = await Promise.all(images.map(({ manifest }) => app.put(name, 'v1', manifest)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 403)).toHaveLength(19);
    const winner = images[statuses.indexOf(201)]!;
    const tagged = await app.get(`/v2/${name}/manifests/v1`);
    expect(tagged.headers.get('docker-content-digest')).toBe(winner.manifest.digest);
    await app.configure({});
  });
});
