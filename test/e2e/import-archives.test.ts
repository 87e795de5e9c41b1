import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { Dockerd } from '../support/clients/dockerd.ts';
import { Podman } from '../support/clients/podman.ts';
import { command } from '../support/command.ts';
import { describeWith } from '../support/describe-with.ts';
import { get } from '../support/http-get.ts';
import { dockerArchive, ociArchive } from '../support/image-archive.ts';
import { runnableImage } from '../support/runnable-image.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const image = runnableImage(77);
const offline = { offline: true };

interface Document {
  readonly mediaType: string;
  readonly manifests?: readonly { readonly digest: string }[];
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
}

/** Pulls an image by its tag, and all that it names; how many blobs and manifests came whole. */
async function pullAll(baleen: Baleen, repository: string, reference: string): Promise<number> {
  const base = `${baleen.url}/v2/${repository}`;
  const url = `${base}/manifests/${reference}`;
  const answer = await fetch(url);
  expect([url, answer.status]).toEqual([url, 200]);
  const document = (await answer.json()) as Document;
  let count = 1;
  for (const { digest } of document.manifests ?? [])
    count += await pullAll(baleen, repository, digest);
  for (const { digest } of [document.config, ...(document.layers ?? [])].filter(
    (each) => each !== undefined,
  )) {
    expect(await get(`${base}/blobs/${digest}`)).toMatchObject({ status: 200, digest });
    count++;
  }
  return count;
}

await describeWith(
  'archives that other programs have written',
  ['skopeo', 'podman', 'dockerd', 'docker', 'busybox', 'runc'],
  () => {
    let files: TempDir;
    const at = (name: string): string => join(files.path, name);
    beforeAll(async () => {
      files = tempDir('archives');
      await writeFile(at('oci.tar'), ociArchive(image, 'docker.io/library/krill:1'));
      await writeFile(at('docker.tar'), dockerArchive(image, 'docker.io/library/krill:1'));
    });
    afterAll(async () => {
      await files[Symbol.asyncDispose]();
    });

    it('are taken in from skopeo, with all platforms of an OCI archive under the same digest', async () => {
      await using baleen = await Baleen.start(offline);
      const from = `oci-archive:${at('oci.tar')}:1`;
      const skopeo = (...args: string[]): Promise<string> =>
        command('skopeo', ['copy', '--insecure-policy', ...args]);
      await skopeo('--all', from, `oci-archive:${at('skopeo-oci.tar')}:ghcr.io/org/krill:2`);
      await skopeo(from, `docker-archive:${at('skopeo-docker.tar')}:ghcr.io/org/krill:3`);
      await skopeo('--all', from, `oci-archive:${at('skopeo-tag.tar')}:4`);
      const whole = await baleen.command('import', at('skopeo-oci.tar'), '--json');
      expect(JSON.parse(whole.stdout)).toMatchObject({
        format: 'oci',
        images: [
          {
            name: 'ghcr.io/org/krill:2',
            digest: image.manifest.digest,
            platforms: ['linux/amd64', 'linux/arm64'],
          },
        ],
      });
      expect(await pullAll(baleen, 'ghcr.io/org/krill', '2')).toBe(3 + 2 * 4);
      const saved = await baleen.command('import', at('skopeo-docker.tar'));
      expect(saved.stderr).toContain('with it a new digest');
      expect(await pullAll(baleen, 'ghcr.io/org/krill', '3')).toBe(5);
      const nameless = await baleen.command('import', at('skopeo-tag.tar'));
      expect(nameless).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('--name NAME:TAG'),
      });
      expect((await baleen.command('import', at('skopeo-tag.tar'), '--name', 'krill')).code).toBe(
        0,
      );
      expect(await pullAll(baleen, 'library/krill', '4')).toBe(3 + 2 * 4);
    });

    it('are taken in from podman, in both forms', async () => {
      await using baleen = await Baleen.start(offline);
      await using podman = await Podman.start('');
      await podman.podman('load', '--input', at('docker.tar'));
      for (const [format, tag] of [
        ['oci-archive', '5'],
        ['docker-archive', '6'],
      ] as const) {
        const name = `ghcr.io/org/krill:${tag}`;
        await podman.podman('tag', 'docker.io/library/krill:1', name);
        await podman.podman('save', '--format', format, '--output', at(`podman-${tag}.tar`), name);
        const imported = await baleen.command('import', at(`podman-${tag}.tar`));
        expect([imported.code, imported.stdout]).toEqual([0, expect.stringContaining(name)]);
        expect(await pullAll(baleen, 'ghcr.io/org/krill', tag)).toBe(5);
      }
    });

    it('are taken in from docker save, several images at once, and run where they are pulled', async () => {
      await using baleen = await Baleen.start(offline);
      await using dockerd = await Dockerd.start(baleen.url);
      await dockerd.docker('load', '--input', at('docker.tar'));
      await dockerd.docker('tag', 'krill:1', 'krill:7');
      await dockerd.docker('tag', 'krill:1', 'ghcr.io/org/krill:8');
      await dockerd.docker('save', '--output', at('saved.tar'), 'krill:7', 'ghcr.io/org/krill:8');
      const imported = await baleen.command('import', at('saved.tar'), '--json');
      const { images, format } = JSON.parse(imported.stdout) as {
        format: string;
        images: { name: string; digest: string }[];
      };
      expect(format).toBe('docker');
      expect(images.map(({ name }) => name)).toEqual([
        'docker.io/library/krill:7',
        'ghcr.io/org/krill:8',
      ]);
      await dockerd.docker('image', 'rm', 'krill:1', 'krill:7', 'ghcr.io/org/krill:8');
      expect(await dockerd.pull('krill', ':7')).toBe(images[0]?.digest);
      expect(await dockerd.output()).toBe(image.prints);
    });
  },
  { root: true },
);
