import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Baleen, hermeticEnvironment } from '../support/baleen.ts';
import { bundleOf, type BundleOptions } from '../support/bundle.ts';
import { Child } from '../support/child.ts';
import { get } from '../support/http-get.ts';
import { ociArchive } from '../support/image-archive.ts';
import { artifactOf, content, indexOf, imageOf, layerOf, type Image } from '../support/images.ts';
import { treeOf } from '../support/read-archive.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

const main = join(import.meta.dirname, '../../src/main.ts');
jest.setTimeout(120_000);

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

  it('closes a gap with what export writes for it: split, packed and signed', async () => {
    await using near = await Baleen.prepare(offline);
    await using far = await Baleen.start(offline);
    const before = platformImage(40);
    const [child] = before.children;
    const after: Image = indexOf({
      amd64: imageOf({ architecture: 'amd64', os: 'linux', seed: 40 }, [layerOf(300_000, 40)]),
      s390x: imageOf({ architecture: 's390x', os: 'linux' }, [layerOf(1_500_000, 49)]),
    });
    expect(after.children[0]).toEqual(child);
    const pair = generateKeyPairSync('ed25519');
    const pem = { secret: 'secret.pem', public: 'public.pem' };
    await file(pem.secret, Buffer.from(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })));
    await file(pem.public, Buffer.from(pair.publicKey.export({ type: 'spki', format: 'pem' })));
    for (const [tag, image] of [
      ['1', before],
      ['2', after],
    ] as const) {
      const name = `docker.io/library/krill:${tag}`;
      const path = await file(`near-${tag}.tar`, bundleOf([{ name, image }]));
      expect((await near.command('import', path)).code).toBe(0);
    }
    const at = (name: string): string => join(files.path, name);
    const run = async (baleen: Baleen, ...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await baleen.command(...args);
      expect([args[0], code, code === 0 ? '' : stderr]).toEqual([args[0], 0, '']);
      return stdout;
    };
    const first = [
      'krill:1',
      '-o',
      at('first.tar.zst'),
      '--compress',
      'zstd',
      '--sign-key',
      at(pem.secret),
    ];
    await run(near, 'export', ...first);
    await run(far, 'import', '--verify-key', at(pem.public), at('first.tar.zst'));
    await file('have.txt', Buffer.from(await run(far, 'inventory')));
    await run(
      near,
      'export',
      'krill:2',
      '-o',
      at('delta.tar'),
      '--have',
      at('have.txt'),
      '--split',
      '1MiB',
    );
    const parts = readdirSync(files.path)
      .filter((name) => /^delta\.tar\.\d/.test(name))
      .map(at);
    expect(parts.length).toBeGreaterThan(1);
    const delta = JSON.parse(await run(far, 'import', '--json', ...parts.toReversed())) as {
      new_blobs: number;
    };
    // A layer, a config, a manifest and the index.
    expect(delta.new_blobs).toBe(4);
    expect(await pull(far, 'library/krill', '2', after)).toEqual([]);
    await using empty = await Baleen.prepare(offline);
    const refused = await empty.command('import', ...parts);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toMatch(/needed by docker\.io\/library\/krill:2/);
  });

  it('keeps what is immutable, and takes nothing else of such a bundle either', async () => {
    await using baleen = await Baleen.start(offline);
    const [one, other] = [platformImage(50), platformImage(60)];
    const first = await file('v1.tar', bundleOf([{ name: 'local/krill:v1', image: one }]));
    expect((await baleen.command('import', first)).code).toBe(0);
    const second = await file(
      'v1-again.tar',
      bundleOf([
        { name: 'docker.io/library/krill:9', image: other },
        { name: 'local/krill:v1', image: other },
      ]),
    );
    const before = await treeOf(join(baleen.dataDirectory, 'v1/repositories'));
    const refused = await baleen.command('import', second);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('immutable here')]);
    expect(await pull(baleen, 'local/krill', 'v1', one)).toEqual([]);
    expect(await treeOf(join(baleen.dataDirectory, 'v1/repositories'))).toEqual(before);
    expect(existsSync(join(baleen.dataDirectory, 'v1/imports'))).toBe(false);
  });

  it('takes an index of what is hosted without the platforms that did not come along', async () => {
    await using baleen = await Baleen.start(offline);
    const whole = platformImage(70);
    const [amd64, arm64] = whole.children;
    const config = JSON.parse(amd64?.bytes.toString() ?? '') as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    const kept = new Set([config.config.digest, ...config.layers.map(({ digest }) => digest)]);
    const sparse = {
      manifest: whole.manifest,
      children: whole.children.slice(0, 1),
      blobs: whole.blobs.filter(({ digest }) => kept.has(digest)),
    };
    const path = await file('sparse.tar', bundleOf([{ name: 'local/krill:amd64', image: sparse }]));
    expect((await baleen.command('import', path)).code).toBe(0);
    expect(await pull(baleen, 'local/krill', 'amd64', sparse)).toEqual([]);
    const { status } = await get(`${baleen.url}/v2/local/krill/manifests/${arm64?.digest}`);
    expect(status).toBe(404);
    expect((await baleen.command('gc', '--json')).code).toBe(0);
  });

  it('takes nothing without a signature where the configuration insists, whatever the command line says', async () => {
    const pair = generateKeyPairSync('ed25519');
    const stranger = generateKeyPairSync('ed25519');
    const trusted = await file(
      'trusted.pem',
      Buffer.from(pair.publicKey.export({ type: 'spki', format: 'pem' })),
    );
    const strange = await file(
      'strange.pem',
      Buffer.from(stranger.publicKey.export({ type: 'spki', format: 'pem' })),
    );
    await using baleen = await Baleen.start({
      ...offline,
      bundles: { trusted_keys: [trusted], require_signature: true },
    });
    const images = [{ name: 'docker.io/library/krill:1', image: platformImage(80) }];
    const bundle = await file('unsigned.tar', bundleOf(images));
    const signed = await file('strange.tar', bundleOf(images, { key: stranger.privateKey }));
    const right = await file('right.tar', bundleOf(images, { key: pair.privateKey }));
    for (const args of [
      [bundle],
      [signed],
      ['--verify-key', strange, signed],
      ['--verify-key', strange, right],
    ]) {
      const { code, stderr } = await baleen.command('import', ...args);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/signature is required|not trusted here/),
      ]);
    }
    expect((await baleen.command('import', right)).code).toBe(0);
  });

  it('makes room within max_size, and refuses at once what can never fit', async () => {
    await using baleen = await Baleen.start({ ...offline, storage: { max_size: '1MiB' } });
    const small = await file(
      'small.tar',
      bundleOf([{ name: 'krill:1', image: platformImage(90) }]),
    );
    expect((await baleen.command('import', small, '--pin')).code).toBe(0);
    const next = await file('next.tar', bundleOf([{ name: 'krill:2', image: platformImage(100) }]));
    expect((await baleen.command('import', next, '--pin')).code).toBe(0);
    const third = await file(
      'third.tar',
      bundleOf([{ name: 'krill:3', image: platformImage(110) }]),
    );
    const full = await baleen.command('import', third);
    expect([full.code, full.stderr]).toEqual([
      1,
      expect.stringContaining('storage.max_size is 1 MiB'),
    ]);
    expect(await pull(baleen, 'library/krill', '1', platformImage(90))).toEqual([]);
  });

  it("takes nobody's word but a trusted signer's, where there are accounts, for what stored blobs belong to", async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    const auth = { htpasswd: await file('htpasswd', Buffer.alloc(0)) };
    const bundles = { trusted_keys: [await file('key.pub', Buffer.from(pem))] };
    await using baleen = await Baleen.start({ ...offline, auth, bundles });
    const secret = layerOf(100_000, 40);
    const imported = async (
      name: string,
      seed: number,
      options: BundleOptions,
    ): Promise<string> => {
      const image = imageOf({ architecture: 'amd64', os: 'linux', seed }, [secret]);
      const path = await file(`${seed}.tar`, bundleOf([{ name, image }], options));
      const { code, stderr } = await baleen.command('import', path);
      return code === 0 ? 'imported' : stderr;
    };
    const without = new Set([secret.digest]);
    expect(await imported('local/secret:1', 1, {})).toBe('imported');
    for (const name of ['docker.io/library/open:1', 'local/open:1']) {
      const refusal = await imported(name, 2, { without });
      expect(refusal).toContain(`${secret.digest} is not in it, and is not known to belong to`);
    }
    expect(await imported('local/secret:2', 3, { without })).toBe('imported');
    expect(await imported('local/open:1', 4, {})).toBe('imported');
    expect(await imported('docker.io/library/open:1', 5, { without, key: privateKey })).toBe(
      'imported',
    );
  });

  it('needs little memory, however large a layer is', async () => {
    await using baleen = await Baleen.prepare(offline);
    const size = 200_000_000;
    const image = imageOf({ architecture: 'amd64' }, [
      content(Buffer.alloc(size), 'application/vnd.oci.image.layer.v1.tar'),
    ]);
    const path = await file(
      'large.tar.zst',
      zstdCompressSync(bundleOf([{ name: 'krill:1', image }])),
    );
    await baleen.command('config', 'check');
    const args = ['--max-old-space-size=64', main, 'import', path, '--config', baleen.configFile];
    await using child = new Child(process.execPath, args, { env: hermeticEnvironment() });
    let peak = 0;
    await waitFor(
      'the end',
      async () => {
        const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
        peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024);
        return child.exit;
      },
      60_000,
    );
    expect([child.exit?.code, child.stderr]).toEqual([0, '']);
    expect(peak).toBeGreaterThan(0);
    // A process that has read nothing yet has most of this.
    expect(peak).toBeLessThan(size + 100_000_000);
  });

  it('tells receivers of what came, as if it had been pulled or pushed', async () => {
    await using receiver = await WebhookReceiver.start();
    await using baleen = await Baleen.start({
      ...offline,
      notifications: { endpoints: { scanner: { url: receiver.url } } },
    });
    const image = platformImage(120);
    const images = ['docker.io/library/krill:1', 'local/krill:1'].map((name) => ({ name, image }));
    expect((await baleen.command('import', await file('told.tar', bundleOf(images)))).code).toBe(0);
    const told = (): string[] =>
      receiver.events.map(
        (event) =>
          `${event.action} ${event.target.repository}:${event.target.tag} ${event.target.digest}`,
      );
    await waitFor('both to be told', () => told().length >= 6);
    expect(told()).toContain(`cache docker.io/library/krill:1 ${image.manifest.digest}`);
    expect(told()).toContain(`push local/krill:1 ${image.manifest.digest}`);
  });
});
