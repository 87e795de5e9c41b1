import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { Baleen, hermeticEnvironment } from '../support/baleen.ts';
import { Containerd } from '../support/clients/containerd.ts';
import { ContainersStore } from '../support/clients/containers-store.ts';
import { onPodman } from '../support/clients/podman.ts';
import { digestsIn } from '../support/clients/skopeo.ts';
import { command } from '../support/command.ts';
import { DataDirectory } from '../support/data-directory.ts';
import { describeWith } from '../support/describe-with.ts';
import { artifactOf, seededImage, type Image } from '../support/images.ts';
import { readBundle } from '../support/read-bundle.ts';
import { suiteResources } from '../support/resources.ts';
import { runnableImage } from '../support/runnable-image.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { pullImage } from '../support/stored.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const main = join(import.meta.dirname, '../../src/main.ts');

const oci = runnableImage(41);
const docker = runnableImage(42, 'docker');
const pushed = runnableImage(43);
const single = seededImage([2000], 44);
const dockerSingle = seededImage([3000], 45, 'docker');
const signature = artifactOf(oci.manifest, 'application/vnd.example.signature', 'signed');

/** Everything that is in the bundle, under its name. */
const images: Readonly<Record<string, Image>> = {
  'docker.io/library/krill:1': oci,
  'ghcr.io/org/docker-list:v1': docker,
  'local/app:x': pushed,
  'quay.io/org/single:1.0-rc_2': single,
  'quay.io/org/docker-single:1': dockerSingle,
  [`quay.io/org/single@${single.manifest.digest}`]: single,
};

let data: DataDirectory;
let folder: TempDir;
let bundle: string;

beforeAll(async () => {
  data = await DataDirectory.create();
  folder = tempDir('bundle');
  bundle = join(folder.path, 'bundle.tar');
  await data.cache('docker.io/library/krill', '1', oci);
  await data.cache('ghcr.io/org/docker-list', 'v1', docker);
  await data.cache('quay.io/org/single', '1.0-rc_2', single);
  await data.cache('quay.io/org/docker-single', '1', dockerSingle);
  await data.push('local/app', 'x', pushed);
  await data.refer('docker.io/library/krill', oci.manifest.digest, signature);
  const where = ['--data', data.path, '--hosted', 'local/**', '-o', bundle];
  const args = [main, 'export', '--referrers', ...Object.keys(images), ...where];
  await command(process.execPath, args, { env: hermeticEnvironment() });
});

afterAll(async () => {
  await data[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

await describeWith('skopeo with an exported bundle', ['skopeo', 'busybox'], () => {
  const resources = suiteResources();
  let store: ContainersStore;
  beforeAll(async () => {
    store = resources.use(await ContainersStore.create(''));
  });
  const skopeo = (...args: readonly string[]): Promise<string> =>
    store.bare('skopeo', '--policy', store.policy, ...args);

  it.each(Object.keys(images))('reads %s with the digest that it has', async (name) => {
    const raw = await skopeo('inspect', '--raw', `oci-archive:${bundle}:${name}`);
    expect(digestOf(Buffer.from(raw))).toBe(images[name]?.manifest.digest);
  });

  it.each(['docker.io/library/krill:1', 'local/app:x'])(
    'copies all platforms of %s, byte for byte',
    async (name) => {
      await store.renew();
      const target = `dir:${store.path('copied')}`;
      const how = ['--all', '--preserve-digests', '--quiet'];
      await command('mkdir', ['-p', store.path()]);
      await skopeo('copy', ...how, `oci-archive:${bundle}:${name}`, target);
      const { manifest, children, blobs } = images[name]!;
      const expected = [manifest, ...children, ...blobs].map(({ digest }) => digest).toSorted();
      expect(await digestsIn(store.path('copied'))).toBe(expected.join('\n'));
    },
  );
});

await describeWith('podman with an exported bundle', ['podman', 'runc', 'busybox'], () => {
  const resources = suiteResources();
  let store: ContainersStore;
  beforeAll(async () => {
    store = resources.use(await ContainersStore.create(''));
  });

  it('pulls an image from it under its own name, with its digest', async () => {
    await store.renew();
    const podman = (...args: readonly string[]): Promise<string> =>
      store.run('podman', ...onPodman(store), ...args);
    const name = 'docker.io/library/krill:1';
    await podman('pull', '--quiet', `oci-archive:${bundle}:${name}`);
    const digest = await podman('image', 'inspect', '--format', '{{.Digest}}', name);
    expect(digest.trim()).toBe(oci.manifest.digest);
  });
});

await describeWith(
  'containerd with an exported bundle',
  ['containerd', 'busybox'],
  () => {
    const resources = suiteResources();

    it('imports every image under its own name, with its digest', async () => {
      const containerd = resources.use(await Containerd.start());
      await containerd.ctr('images', 'import', '--snapshotter', 'native', '--no-unpack', bundle);
      const listed = await containerd.ctr('images', 'ls');
      const found = listed
        .split('\n')
        .slice(1)
        .filter(Boolean)
        .map((line) => line.split(/\s+/).slice(0, 3).join(' '));
      expect(found.toSorted()).toEqual(
        Object.entries(images)
          .map(([name, { manifest }]) => `${name} ${manifest.mediaType} ${manifest.digest}`)
          .toSorted(),
      );
    });
  },
  { root: true },
);

describe('an export beside a Baleen that runs', () => {
  const resources = suiteResources();

  it('takes what clients have pulled, and what the far side lacks of it', async () => {
    const upstream = resources.use(await ScriptedUpstream.start());
    const [one, two] = [seededImage([70_000, 500], 1), seededImage([70_000, 900], 2)];
    upstream.add('library/krill', '1', one);
    upstream.add('library/krill', '2', two);
    const settings = dockerHubScripted(upstream);
    const near = resources.use(await Baleen.start(settings));
    const far = resources.use(await Baleen.start(settings));
    await pullImage(near, 'library/krill', '1', one);
    await pullImage(near, 'library/krill', '2', two);
    await pullImage(far, 'library/krill', '1', one);
    const inventory = await far.command('inventory');
    expect([inventory.code, inventory.stderr]).toEqual([0, '']);
    const list = join(folder.path, 'far.txt');
    writeFileSync(list, inventory.stdout);
    const output = join(folder.path, 'delta.tar');
    const args = ['export', 'library/krill:1', 'library/krill:2', '-o', output, '--have', list];
    expect((await near.command(...args)).code).toBe(0);
    const { contents } = await readBundle(output);
    expect(contents.toSorted()).toEqual(
      [one.manifest, two.manifest, ...two.blobs].map(({ digest }) => digest).toSorted(),
    );
  });
});
