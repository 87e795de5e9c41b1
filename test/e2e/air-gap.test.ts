import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { AirGap, fileOf } from '../support/air-gap.ts';
import { Containerd } from '../support/clients/containerd.ts';
import { Dockerd } from '../support/clients/dockerd.ts';
import { Podman } from '../support/clients/podman.ts';
import { describeWith } from '../support/describe-with.ts';
import type { Image } from '../support/images.ts';
import { suiteResources } from '../support/resources.ts';
import type { RunnableImage } from '../support/runnable-image.ts';

/** What runs in a cluster, as its manifests have it. */
const workloads = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  template:
    spec:
      initContainers: [{ name: prepare, image: 'db:2' }]
      containers: [{ name: web, image: 'docker.io/library/web:1.0' }]
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: app }
spec:
  jobTemplate: { spec: { template: { spec: { containers: [{ image: 'ghcr.io/org/app:1.0' }] } } } }
`;
const images = ['docker.io/library/web:1.0', 'docker.io/library/db:2', 'ghcr.io/org/app:1.0'];
const platforms = ['--platform', 'linux/amd64,linux/arm64'];
const later = 'docker.io/library/later:1.0';

const own = process.arch === 'arm64' ? 'arm64' : 'amd64';
const other = own === 'arm64' ? 'amd64' : 'arm64';

/** The images that a list names. */
const namesIn = (list: string): string[] =>
  list.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

const contentsOf = (...all: readonly Image[]): Set<string> =>
  new Set(all.flatMap((image) => [image.manifest, ...image.children, ...image.blobs]).map(fileOf));

await describeWith(
  'across an air gap',
  [
    ...(['ip', 'nsenter', 'curl', 'docker-registry', 'htpasswd', 'skopeo', 'busybox'] as const),
    ...(['dockerd', 'docker', 'containerd', 'podman', 'runc'] as const),
  ],
  () => {
    const resources = suiteResources();
    let gap: AirGap;
    let dockerd: Dockerd;
    let containerd: Containerd;
    let podman: Podman;

    beforeAll(async () => {
      gap = resources.use(await AirGap.start());
      const { offline, network } = gap;
      dockerd = resources.use(await Dockerd.start(offline.url, network));
      const registries = ['docker.io', 'ghcr.io'];
      containerd = resources.use(
        await Containerd.start(offline.url, { network, registries, server: offline.url }),
      );
      const conf = registries.map(
        (registry) =>
          `[[registry]]\nprefix = "${registry}"\nlocation = "${offline.host}/${registry}"\ninsecure = true\n`,
      );
      podman = resources.use(await Podman.start(conf.join('\n'), network));
    }, 120_000);

    it('warms and exports on the connected side, and imports on the other', async () => {
      const list = gap.path('workloads.yaml');
      await writeFile(list, workloads);
      await gap.run('connected', 'warm', '-f', list, ...platforms, '--referrers');
      const bundle = gap.path('site.tar');
      await gap.run('connected', 'export', '-f', list, ...platforms, '--referrers', '-o', bundle);
      const { web, db, app, signature, countersignature, seal } = gap;
      const expected = contentsOf(web, db, app, signature, countersignature, seal);
      const files = (await gap.list('site.tar')).filter((name) => name.startsWith('blobs/'));
      expect(new Set(files)).toEqual(expected);
      await gap.run('offline', 'import', bundle);
    });

    describe('dockerd with the offline Baleen as its mirror', () => {
      const pulls = async (name: string, image: RunnableImage): Promise<void> => {
        expect(await dockerd.pull('', name)).toContain(image.manifest.digest);
        expect(await dockerd.output()).toBe(image.prints);
      };

      it('pulls and runs images by tag and by digest', async () => {
        await pulls('web:1.0', gap.web);
        await pulls(`web@${gap.web.manifest.digest}`, gap.web);
        await pulls('db:2', gap.db);
      });

      it('pulls those of other registries by their whole name', async () => {
        await pulls(`${gap.offline.host}/ghcr.io/org/app:1.0`, gap.app);
      });
    });

    describe('containerd with the offline Baleen in its hosts.toml', () => {
      it('pulls every platform, by tag and by digest', async () => {
        const byDigest = `ghcr.io/org/app@${gap.app.manifest.digest}`;
        for (const name of [...images, byDigest]) {
          const all = ['--all-platforms', ...containerd.pullOptions];
          await containerd.ctr('images', 'pull', ...all, name);
        }
        const listed = await containerd.ctr('images', 'ls');
        for (const image of [gap.web, gap.db, gap.app]) {
          expect(listed).toContain(image.manifest.digest);
        }
        const content = await containerd.ctr('content', 'ls', '-q');
        for (const file of contentsOf(gap.web, gap.db, gap.app)) {
          expect(content).toContain(file.split('/').at(-1));
        }
      });

      it('runs what it pulled', async () => {
        await containerd.pull('library/web', ':1.0');
        expect(await containerd.output()).toBe(gap.web.prints);
      });
    });

    describe('podman with registries.conf', () => {
      it('pulls and runs images of every registry by tag and by digest', async () => {
        for (const reference of [':2', `@${gap.db.manifest.digest}`]) {
          expect(await podman.pull('library/db', reference)).toContain(gap.db.manifest.digest);
          expect(await podman.output()).toBe(gap.db.prints);
        }
        await podman.podman('pull', '--quiet', 'ghcr.io/org/app:1.0');
        await podman.podman('pull', '--quiet', `ghcr.io/org/app@${gap.app.manifest.digest}`);
      });

      it('pulls the other platform', async () => {
        await podman.podman('pull', '--quiet', '--arch', other, images[0]!);
        const shown = await podman.podman(
          'image',
          'inspect',
          '-f',
          '{{.Architecture}}',
          images[0]!,
        );
        expect(shown.trim()).toBe(other);
      });
    });

    it('gives out signatures, and what was signed of them', async () => {
      for (const [subject, referrer] of [
        [gap.app.manifest, gap.signature],
        [gap.signature.manifest, gap.countersignature],
      ] as const) {
        const answer = await gap.get(`ghcr.io/org/app/referrers/${subject.digest}`);
        expect(JSON.parse(answer)).toMatchObject({
          manifests: [
            {
              digest: referrer.manifest.digest,
              artifactType: 'application/x-signature',
              annotations: { 'org.example.text': expect.any(String) },
            },
          ],
        });
        const manifest = await gap.get(`ghcr.io/org/app/manifests/${referrer.manifest.digest}`);
        expect(manifest).toBe(referrer.manifest.bytes.toString());
        const text = referrer.blobs[1]!;
        expect(await gap.get(`ghcr.io/org/app/blobs/${text.digest}`)).toBe(text.bytes.toString());
      }
      const sealed = await gap.get(`library/db/manifests/${gap.sealTag}`);
      expect(sealed).toBe(gap.seal.manifest.bytes.toString());
      expect(JSON.parse(await gap.get('ghcr.io/org/app/tags/list'))).toMatchObject({
        tags: ['1.0'],
      });
      expect(JSON.parse(await gap.get('_catalog'))).toEqual({
        repositories: ['ghcr.io/org/app', 'library/db', 'library/web'],
      });
    });

    const asked = async (): Promise<number> => {
      const listed = JSON.parse(await gap.run('offline', 'missing', '--json')) as {
        images: readonly { image: string; count: number }[];
      };
      return listed.images.find(({ image }) => image === later)?.count ?? 0;
    };

    it('refuses what is not there to every client, and says what brings it', async () => {
      const command = `"baleen warm ${later}"`;
      const docker = await dockerd.tryDocker('pull', 'later:1.0');
      expect(docker.code).not.toBe(0);
      expect(dockerd.log.replaceAll('\\', '')).toContain(command);
      const direct = await dockerd.tryDocker('pull', `${gap.offline.host}/library/later:1.0`);
      expect(direct.stderr).toContain(command);
      const ctr = await containerd.tryCtr('images', 'pull', ...containerd.pullOptions, later);
      expect([ctr.code === 0, ctr.stderr]).toEqual([false, expect.stringContaining('not found')]);
      const before = await asked();
      const pod = await podman.tryPodman('pull', later);
      // It does not try again: it knows the code.
      expect(await asked()).toBe(before + 1);
      expect([pod.code === 0, pod.stderr]).toEqual([false, expect.stringContaining(command)]);
      expect(pod.stderr).toContain('manifest unknown');
      expect(await gap.get('library/later/manifests/1.0', '-w', '%{http_code}')).toMatch(/404$/);
    });

    /** Brings what was missing over the gap, in a delta of the given name. @returns the contents of the delta */
    const closeGap = async (name: string, ...options: readonly string[]): Promise<Set<string>> => {
      const [list, held, delta] = [`${name}.txt`, `${name}.held`, name].map((each) =>
        gap.path(each),
      ) as [string, string, string];
      const missing = await gap.run('offline', 'missing');
      await writeFile(list, missing);
      await writeFile(held, await gap.run('offline', 'inventory'));
      await gap.run('connected', 'warm', '-f', list, ...options);
      await gap.run('connected', 'export', '-f', list, ...options, '--have', held, '-o', delta);
      await gap.run('offline', 'import', delta);
      expect(namesIn(await gap.run('offline', 'missing'))).toEqual([]);
      return new Set((await gap.list(name)).filter((file) => file.startsWith('blobs/')));
    };

    it('closes the gap with a delta that holds the new blobs alone', async () => {
      const platform = `linux/${own}`;
      expect(namesIn(await gap.run('offline', 'missing'))).toEqual([later]);
      const files = await closeGap('delta.tar', '--platform', platform);
      const { children, manifest } = gap.later;
      const before = contentsOf(gap.web, gap.db, gap.app);
      const image = contentsOf({ manifest, children: [], blobs: [] }, imageFor(own));
      expect(files).toEqual(new Set([...image].filter((file) => !before.has(file))));
      expect(files.size).toBeLessThan(image.size);
      expect(children).toHaveLength(2);
      expect(await dockerd.pull('', 'later:1.0')).toContain(manifest.digest);
      expect(await dockerd.output()).toBe(gap.later.prints);
      expect(await containerd.pull('library/later', `@${manifest.digest}`)).toContain(
        manifest.digest,
      );
      expect(await containerd.output()).toBe(gap.later.prints);
      expect(await podman.pull('library/later', ':1.0')).toContain(manifest.digest);
      expect(await podman.output()).toBe(gap.later.prints);
    });

    it('closes that of a platform that was left behind with its manifest and blobs alone', async () => {
      const pull = ['pull', '--quiet', '--arch', other, later];
      const refused = await podman.tryPodman(...pull);
      expect(refused.stderr).toContain(`(linux/${other} of ${later}) is not here`);
      const { digest } = imageFor(other).manifest;
      const name = `docker.io/library/later@${digest}`;
      expect(namesIn(await gap.run('offline', 'missing'))).toEqual([name]);
      const files = await closeGap('platform.tar');
      const before = contentsOf(gap.web, gap.db, gap.app, imageFor(own));
      const news = [...contentsOf(imageFor(other))].filter((file) => !before.has(file));
      expect(files).toEqual(new Set(news));
      await podman.podman(...pull);
    });

    /** One platform of the image that comes later. */
    const imageFor = (architecture: string): Image => {
      const { later: whole } = gap;
      const manifest = whole.children[architecture === 'amd64' ? 0 : 1]!;
      const text = manifest.bytes.toString();
      return {
        manifest,
        children: [],
        blobs: whole.blobs.filter(({ digest }) => text.includes(digest)),
      };
    };
  },
  { isolated: true },
);
