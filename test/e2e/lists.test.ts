import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { referrersTag } from '../../src/oci/reference.ts';
import type { Baleen } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { artifactOf, content, descriptorOf, seededImage, type Image } from '../support/images.ts';
import { suiteResources } from '../support/resources.ts';
import { baleenBefore } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';

jest.setTimeout(60_000);

const subject = seededImage([100], 31);
const signature = artifactOf(subject.manifest, 'application/x-signature', 'signed');
const inventory = artifactOf(subject.manifest, 'application/x-inventory', 'krill: 1');

interface Index {
  manifests: { digest: string; artifactType?: string }[];
}

/** The digests of an index that is to be had there. */
async function digestsOf(url: string): Promise<string[]> {
  const { text } = await get(url);
  return (JSON.parse(text) as Index).manifests.map(({ digest }) => digest);
}

/** What a client that pushes a referrer writes where there is no API. */
function tagged(): Image {
  const manifests = [signature, inventory].map(({ manifest }) => ({
    ...descriptorOf(manifest),
    artifactType: (JSON.parse(manifest.bytes.toString()) as { artifactType: string }).artifactType,
  }));
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const document = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
  return { manifest: content(Buffer.from(document), mediaType), children: [], blobs: [] };
}

describe.each([
  ['an upstream with a referrers API', true],
  ['an upstream without one, which keeps to the tag schema', false],
])('through %s', (_, referrers) => {
  const resources = suiteResources();
  let upstream: ScriptedUpstream;
  let baleen: Baleen;
  const path = `/v2/blue/whale/referrers/${subject.manifest.digest}`;

  beforeAll(async () => {
    upstream = resources.use(await ScriptedUpstream.start({ referrers, pageSize: 2 }));
    for (const tag of ['v3', 'v1', 'v2', 'latest', 'edge']) {
      upstream.add('blue/whale', tag, subject);
    }
    for (const artifact of [signature, inventory]) {
      upstream.add('blue/whale', undefined, artifact);
    }
    if (!referrers) upstream.add('blue/whale', referrersTag(subject.manifest.digest), tagged());
    baleen = resources.use(await baleenBefore(upstream, { tag_ttl: '1h' }));
  });

  it('all referrers are listed', async () => {
    const digests = await digestsOf(`${baleen.url}${path}`);
    expect(digests.toSorted()).toEqual(
      [signature.manifest.digest, inventory.manifest.digest].toSorted(),
    );
  });

  it('referrers are filtered by type, and the answer says so', async () => {
    const answer = await get(`${baleen.url}${path}?artifactType=application/x-signature`);
    expect((JSON.parse(answer.text) as Index).manifests.map(({ digest }) => digest)).toEqual([
      signature.manifest.digest,
    ]);
    expect(answer.headers['oci-filters-applied']).toBe('artifactType');
    expect(answer.headers['content-type']).toBe('application/vnd.oci.image.index.v1+json');
  });

  it('tags are listed in order, page by page, through links that lead to Baleen', async () => {
    const pages: string[][] = [];
    let next: string | undefined = '/v2/blue/whale/tags/list?n=2';
    while (next !== undefined) {
      // Each page names the one after it.
      const { text, headers } = await get(new URL(next, baleen.url).href);
      pages.push((JSON.parse(text) as { tags: string[] }).tags);
      const link: string | undefined = /<([^>]+)>; rel="next"/.exec(String(headers.link))?.[1];
      expect(link ?? '/v2/').toMatch(/^\/v2\//);
      next = link;
    }
    expect(pages.flat()).toEqual(expect.arrayContaining(['edge', 'latest', 'v1', 'v2', 'v3']));
    expect(pages.flat()).toEqual(pages.flat().toSorted());
    expect(Math.max(...pages.map(({ length }) => length))).toBe(2);
  });

  it('an unknown subject has no referrers, and that is no error', async () => {
    const unknown = `sha256:${'1'.repeat(64)}`;
    expect(await digestsOf(`${baleen.url}/v2/blue/whale/referrers/${unknown}`)).toEqual([]);
  });

  it('lists that were seen are served with the upstream down', async () => {
    await upstream.stop();
    expect(await digestsOf(`${baleen.url}${path}`)).toHaveLength(2);
    const { status, text } = await get(`${baleen.url}/v2/blue/whale/tags/list`);
    expect([status, (JSON.parse(text) as { tags: string[] }).tags]).toEqual([
      200,
      expect.arrayContaining(['edge', 'latest', 'v1', 'v2', 'v3']),
    ]);
  });
});
