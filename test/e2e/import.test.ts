import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { bundleOf } from '../support/bundle.ts';
import { get } from '../support/http-get.ts';
import { ociArchive } from '../support/image-archive.ts';
import { artifactOf, indexOf, imageOf, layerOf, type Image } from '../support/images.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const offline = {
  offline: true,
  hosted: { repositories: ['local/**'], rules: [{ tags: ['v*'], immutable: true }] },
};

function platformImage(seed: number): Image {
  return indexOf({
    amd64: imageOf({ architecture: 'amd64', os: 'linux', seed }, [layerOf(300_000, seed)]),
    arm64: imageOf({ architecture: 'arm64', os: 'linux', seed }, [layerOf(200_000, seed + 1)]),
  });
}

/** Pulls all of an image by its tag and then by digests; the statuses that were not 200. */
async function pull(
  baleen: Baleen,
  repository: string,
  tag: string,
  image: Image,
): Promise<string[]> {
  const base = `${baleen.url}/v2/${repository}`;
  const wanted = [
    [`manifests/${tag}`, image.manifest] as const,
    ...image.children.map((child) => [`manifests/${child.digest}`, child] as const),
    ...image.blobs.map((blob) => [`blobs/${blob.digest}`, blob] as const),
  ];
  const failed: string[] = [];
  for (const [path, { digest }] of wanted) {
    const answer = await get(`${base}/${path}`);
    if (answer.status !== 200 || answer.digest !== digest) failed.push(`${path} ${answer.status}`);
  }
  return failed;
}

describe('importing', () => {
  let files: TempDir;
  const file = async (name: string, bytes: Buffer): Promise<string> => {
    const path = join(files.path, name);
    await writeFile(path, bytes);
    return path;
  };
  beforeAll(() => {
    files = tempDir('bundles');
  });
  afterAll(async () => {
    await files[Symbol.asyncDispose]();
  });

  it('takes images in through the running service, which serves them at once although it said that they are missing', async () => {
    await using baleen = await Baleen.start(offline);
    const image = platformImage(1);
    const signature = artifactOf(image.manifest, 'application/vnd.example.signature', 'signed');
    expect((await get(`${baleen.url}/v2/library/krill/manifests/1`)).status).toBe(404);
    const path = await file(
      'service.tar',
      bundleOf(
        [
          { name: 'docker.io/library/krill:1', image },
          { name: 'local/krill:1', image },
        ],
        {
          referrers: [
            {
              repository: 'docker.io/library/krill',
              subject: image.manifest.digest,
              artifactType: 'application/vnd.example.signature',
              image: signature,
            },
          ],
        },
      ),
    );
    const result = await baleen.command('import', path, '--pin', '--json');
    expect(result.stderr).toBe('');
    expect(JSON.parse(result.stdout)).toMatchObject({
      format: 'bundle',
      images: [
        { name: 'docker.io/library/krill:1', digest: image.manifest.digest },
        { name: 'local/krill:1', digest: image.manifest.digest },
      ],
      referrers: 1,
      pinned: ['docker.io/library/krill:1'],
      new_blobs: 10,
      present_blobs: 0,
    });
    expect(await pull(baleen, 'library/krill', '1', image)).toEqual([]);
    expect(await pull(baleen, 'local/krill', '1', image)).toEqual([]);
    const listed = await fetch(`${baleen.url}/v2/library/krill/referrers/${image.manifest.digest}`);
    expect(await listed.json()).toMatchObject({
      manifests: [{ digest: signature.manifest.digest }],
    });
    expect(await pull(baleen, 'library/krill', signature.manifest.digest, signature)).toEqual([]);
    expect(await baleen.metric('baleen_imports_total', 'result="succeeded"')).toBe(1);
    expect((await baleen.command('pins')).stdout).toBe('docker.io/library/krill:1\n');
    const again = await baleen.command('import', path, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ new_blobs: 0, present_blobs: 10 });
    expect((await baleen.command('verify')).code).toBe(0);
  });

  it('takes images in without a service, into a data directory that it makes', async () => {
    await using baleen = await Baleen.prepare(offline);
    const image = platformImage(20);
    const path = await file('direct.tar', bundleOf([{ name: 'ghcr.io/org/krill:2', image }]));
    expect((await baleen.command('import', path)).code).toBe(0);
    await baleen.start();
    expect(await pull(baleen, 'ghcr.io/org/krill', '2', image)).toEqual([]);
  });

  it('takes in OCI archives, and what docker save writes under a digest that is new', async () => {
    await using baleen = await Baleen.start(offline);
    const image = platformImage(30);
    const oci = await file('oci.tar', ociArchive(image, 'ghcr.io/org/krill:3'));
    expect((await baleen.command('import', oci)).stderr).not.toContain('new digest');
    expect(await pull(baleen, 'ghcr.io/org/krill', '3', image)).toEqual([]);
  });
});
