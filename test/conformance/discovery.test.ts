import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { content, descriptorOf, type Image } from '../support/images.ts';
import { describeRegistry } from './describe-registry.ts';
import { freshImage, freshIndex, pushBlobs, pushImage, putManifest } from './manifest-push.ts';
import { codesOf, type Answer } from './registry-client.ts';

jest.setTimeout(60_000);

describeRegistry('Listing tags', (registry) => {
  const repository = 'conformance/tags';
  const sorted = ['1.0', '10', '2', 'Latest', 'edge', 'latest'];
  const list = async (query = '', name = repository): Promise<Answer> =>
    registry.client.send('GET', `/v2/${name}/tags/list${query}`);
  const tagsOf = ({ body }: Answer): string[] =>
    (JSON.parse(body.toString()) as { tags: string[] }).tags;

  beforeAll(async () => {
    const { client } = registry;
    const image = freshImage();
    await pushImage(client, repository, image);
    for (const tag of sorted.toReversed()) {
      await putManifest(client, repository, tag, image.manifest);
    }
  });

  it('gives all of them in the order of ASCII', async () => {
    const answer = await list();
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(JSON.parse(answer.body.toString())).toEqual({ name: repository, tags: sorted });
  });

  it.each([
    ['?n=2', ['1.0', '10']],
    ['?n=100', sorted],
    ['?last=2', ['Latest', 'edge', 'latest']],
    ['?n=2&last=2', ['Latest', 'edge']],
    ['?last=11', ['2', 'Latest', 'edge', 'latest']],
    ['?last=latest', []],
  ])('gives the part that %s asks for', async (query, expected) => {
    expect(tagsOf(await list(query))).toEqual(expected);
  });

  it('leads from page to page by Link', async () => {
    let found: string[] = [];
    let query: string | undefined = '?n=4';
    let pages = 0;
    while (query !== undefined) {
      const page: Answer = await list(query);
      pages += 1;
      found = [...found, ...tagsOf(page)];
      query = /<[^>?]*(\?[^>]*)>; rel="?next"?/.exec(page.headers['link'] ?? '')?.[1];
    }
    expect(found).toEqual(sorted);
    expect(pages).toBe(2);
  });

  it('gives an empty list and no Link for n=0', async () => {
    const answer = await list('?n=0');
    expect(tagsOf(answer)).toEqual([]);
    expect(answer.headers['link']).toBeUndefined();
  });

  it('knows no repository that nothing was pushed to', async () => {
    const answer = await list('', 'conformance/never-pushed-to');
    expect(answer.status).toBe(404);
    expect(codesOf(answer)).toEqual(['NAME_UNKNOWN']);
  });
});

describeRegistry('Listing referrers', (registry) => {
  const repository = 'conformance/referrers';
  const empty = content(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
  const subject = freshImage();
  const subjectMember = { subject: descriptorOf(subject.manifest) };
  const annotations = { 'org.example.note': 'as it was pushed' };
  const sbom = 'application/vnd.example.sbom';
  /** What refers to the subject, and the artifact type that it is listed with. */
  const referrers: Readonly<Record<string, readonly [Image, string | undefined]>> = {
    'an artifact': [
      freshImage({ config: empty, more: { artifactType: sbom, annotations, ...subjectMember } }),
      sbom,
    ],
    'an image, by its config': [
      freshImage({ more: { annotations, ...subjectMember } }),
      'application/vnd.oci.image.config.v1+json',
    ],
    'an index that is an artifact': [
      freshIndex([], { more: { artifactType: sbom, annotations, ...subjectMember } }),
      sbom,
    ],
    'an index without a type': [
      freshIndex([], { more: { annotations, ...subjectMember } }),
      undefined,
    ],
  };
  interface Listed {
    readonly mediaType: string;
    readonly schemaVersion: number;
    readonly manifests: readonly { readonly digest: string; readonly artifactType?: string }[];
  }
  const list = async (digest: string, query = '', name = repository): Promise<Answer> =>
    registry.client.send('GET', `/v2/${name}/referrers/${digest}${query}`);
  const read = ({ body }: Answer): Listed => JSON.parse(body.toString()) as Listed;

  it.each([repository, 'conformance/never-pushed-to'])(
    'gives an empty index for a subject that %s never saw',
    async (name) => {
      const answer = await list(digestOf(Buffer.from('never seen')), '', name);
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe(mediaTypes.ociIndex);
      expect(read(answer)).toEqual({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [],
      });
    },
  );

  it('refuses a malformed digest', async () => {
    const answer = await list('sha256:baddigeststring');
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toEqual(['DIGEST_INVALID']);
  });

  describe('of a subject', () => {
    it.each(Object.entries(referrers))(
      'has %s at once, though the subject is not there yet',
      async (_, [image, artifactType]) => {
        const { client } = registry;
        await pushBlobs(client, repository, ...image.blobs);
        const { manifest } = image;
        const answer = await putManifest(client, repository, manifest.digest, manifest);
        expect(answer.headers['oci-subject']).toBe(subject.manifest.digest);
        const found = read(await list(subject.manifest.digest)).manifests;
        expect(found.find(({ digest }) => digest === manifest.digest)).toEqual({
          ...descriptorOf(manifest),
          ...(artifactType !== undefined && { artifactType }),
          annotations,
        });
      },
    );

    it('has each of them once, when the subject has come and they were pushed again', async () => {
      const { client } = registry;
      await pushImage(client, repository, subject);
      for (const [image] of Object.values(referrers)) await pushImage(client, repository, image);
      const found = read(await list(subject.manifest.digest)).manifests;
      expect(found.map(({ digest }) => digest).toSorted()).toEqual(
        Object.values(referrers)
          .map(([{ manifest }]) => manifest.digest)
          .toSorted(),
      );
    });

    it('has those of one type where one is asked for, and says that it chose', async () => {
      const answer = await list(subject.manifest.digest, `?artifactType=${sbom}`);
      expect(answer.headers['oci-filters-applied']).toBe('artifactType');
      const types = read(answer).manifests.map(({ artifactType }) => artifactType);
      expect(types).toEqual([sbom, sbom]);
    });

    it('has one no more that was deleted', async () => {
      const [{ manifest }] = referrers['an artifact']!;
      await registry.client.send('DELETE', `/v2/${repository}/manifests/${manifest.digest}`);
      const found = read(await list(subject.manifest.digest)).manifests;
      expect(found).toHaveLength(3);
      expect(found.map(({ digest }) => digest)).not.toContain(manifest.digest);
    });
  });
});

describeRegistry('The catalog', (registry) => {
  it('has a repository as soon as something was pushed to it', async () => {
    const { client } = registry;
    await pushImage(client, 'conformance/listed', freshImage(), 'latest');
    const { body } = await client.send('GET', '/v2/_catalog');
    const { repositories } = JSON.parse(body.toString()) as { repositories: string[] };
    expect(repositories).toContain('conformance/listed');
  });
});
