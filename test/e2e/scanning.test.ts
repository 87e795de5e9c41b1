import { randomBytes } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { Baleen, type Settings } from '../support/baleen.ts';
import { Child } from '../support/child.ts';
import { tryCommand } from '../support/command.ts';
import { describeWith } from '../support/describe-with.ts';
import { get } from '../support/http-get.ts';
import {
  artifactOf,
  content,
  descriptorOf,
  imageOf,
  indexOf,
  seededImage,
  type Image,
} from '../support/images.ts';
import { freePort } from '../support/ports.ts';
import { push } from '../support/push.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const root = join(import.meta.dirname, '../..');

/** Pulls as a scanner does, with a real client, and judges by the name. */
const scanner = `#!/bin/sh
skopeo inspect --tls-verify=false "docker://$1" >/dev/null || exit 1
case "$1" in
  */bad@*) echo 'Total: 1 (CRITICAL: 1)'; echo 'CVE-2026-1 in libwhale'; exit 10 ;;
  */odd@*) echo 'no database'; exit 1 ;;
esac
`;

/** An image whose only layer has another type than layers have. */
function disguised(layer: Buffer, mediaType: string): Image {
  const blob = content(layer, mediaType);
  return imageOf({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers' } }, [blob], 'oci');
}

/** An index of nothing but another index. */
function indexIn(inner: Image): Image {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [descriptorOf(inner.manifest)],
  };
  const manifest = content(Buffer.from(JSON.stringify(document)), mediaTypes.ociIndex);
  return { manifest, children: [...inner.children, inner.manifest], blobs: inner.blobs };
}

await describeWith('a scanner, wired up as docs/scanning.md says', ['python3', 'skopeo'], () => {
  const stack = new AsyncDisposableStack();
  const image = seededImage([20_000], 91);
  const bad = seededImage([20_000], 92);
  const odd = seededImage([20_000], 93);
  let baleen: Baleen;
  let receiver: Child;

  beforeAll(async () => {
    const folder = stack.use(tempDir('scanning'));
    const upstream = stack.use(await ScriptedUpstream.start());
    upstream.add('blue/good', 'v1', image);
    upstream.add('blue/bad', 'v1', bad);
    upstream.add('blue/odd', 'v1', odd);
    const command = join(folder.path, 'scanner.sh');
    await writeFile(command, scanner);
    await chmod(command, 0o755);

    const guide = await readFile(join(root, 'docs/scanning.md'), 'utf8');
    const [, block = ''] = /```yaml\n([^]*?)```/.exec(guide) ?? [];
    const listen = `127.0.0.1:${String(await freePort())}`;
    const settings = parse(
      block
        .replaceAll('127.0.0.1:8099', listen)
        .replaceAll('docker.io/**', 'reef.example/**')
        .replaceAll('${SCANNER_TOKEN}', 'a token'),
    ) as Settings;
    baleen = stack.use(
      await Baleen.start({
        ...settings,
        upstreams: { 'reef.example': { url: upstream.url } },
        hosted: { repositories: ['local/**'] },
      }),
    );
    receiver = stack.use(
      new Child('python3', [join(root, 'packaging/scanning/receiver.py')], {
        env: { TOKEN: 'a token', SCAN: command, BALEEN: baleen.operationsUrl, LISTEN: listen },
      }),
    );
    await receiver.until('listens', () => receiver.stderr.includes('waiting for events'));
  });

  afterAll(() => stack.disposeAsync());

  const pull = (repository: string, reference = 'v1') =>
    get(`${baleen.url}/v2/${repository}/manifests/${reference}`);

  it('lets an image go out once it is scanned', async () => {
    const first = await pull('reef.example/blue/good');
    expect([first.status, first.text]).toEqual([
      403,
      expect.stringContaining('held back until it is scanned; try again in a minute'),
    ]);
    await waitFor('the verdict', async () => (await pull('reef.example/blue/good')).status === 200);
    expect((await pull('reef.example/blue/good')).digest).toBe(image.manifest.digest);
  });

  it('keeps a bad one back, and says why to the client', async () => {
    await pull('reef.example/blue/bad');
    await waitFor('the verdict', async () =>
      (await pull('reef.example/blue/bad')).text.includes('CVE-2026-1'),
    );
    const source = `docker://${baleen.host}/reef.example/blue/bad:v1`;
    const copied = await tryCommand('skopeo', ['inspect', '--tls-verify=false', source]);
    expect(copied.code).not.toBe(0);
    expect(copied.stderr).toContain('this image may not be pulled: CVE-2026-1 in libwhale');
  });

  it('judges what is pushed, before anybody pulls it, and lets signatures pass', async () => {
    const pushed = seededImage([10_000], 94);
    await push({ url: baleen.url }, 'local/app', 'v1', pushed);
    const signature = artifactOf(pushed.manifest, 'application/signature', 'mine');
    await push({ url: baleen.url }, 'local/app', 'signature', signature);
    for (const reference of ['v1', 'signature']) {
      await waitFor('the verdict', async () => (await pull('local/app', reference)).status === 200);
    }
  });

  it('lets a signature pass that has an image’s configuration, as cosign writes them', async () => {
    const signature = disguised(
      Buffer.from('{"critical":{}}'),
      'application/vnd.dev.simplesigning',
    );
    await push({ url: baleen.url }, 'local/bad', 'signature', signature);
    await waitFor('the verdict', async () => (await pull('local/bad', 'signature')).status === 200);
  });

  it.each([
    ['whose layers are called something else', disguised(randomBytes(5_000), 'text/plain')],
    ['in an index in an index', indexIn(indexOf({ amd64: seededImage([10_000], 95) }))],
  ])('scans an image all the same %s', async (_what, hidden) => {
    await push({ url: baleen.url }, 'local/bad', 'hidden', hidden);
    const { digest } = hidden.manifest;
    await receiver.until('has an opinion', () => receiver.stderr.includes(digest));
    expect((await pull('local/bad', 'hidden')).status).toBe(403);
    for (const child of hidden.children) {
      expect((await pull('local/bad', child.digest)).status).toBe(403);
    }
  });

  it('says nothing about what it could not scan', async () => {
    await pull('reef.example/blue/odd');
    await receiver.until('fails', () => receiver.stderr.includes('no database'));
    expect((await pull('reef.example/blue/odd')).status).toBe(403);
    const listed = await baleen.command('verdict', 'list', odd.manifest.digest);
    expect(listed.stdout).toBe(`none   ${odd.manifest.digest}\n`);
  });

  it('can be overruled on the command line', async () => {
    const named = `reef.example/blue/odd@${odd.manifest.digest}`;
    const allowed = await baleen.command(
      'verdict',
      'allow',
      named,
      '--by',
      'me',
      '--reason',
      'seen',
    );
    expect(allowed.stdout).toMatch(/^allow {2}sha256:[0-9a-f]{64} by me at \S+Z: seen\n$/);
    expect((await pull('reef.example/blue/odd')).status).toBe(200);
    const all = await baleen.command('verdict', 'list');
    expect(all.stdout).toContain(`deny   ${bad.manifest.digest} by `);
    expect(all.stdout).toContain('until ');
    await baleen.command('verdict', 'withdraw', odd.manifest.digest);
    expect((await pull('reef.example/blue/odd')).status).toBe(403);
    const wrong = await baleen.command('verdict', 'allow', 'sha256:12');
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('digest')]);
  });

  it('refuses events of strangers', async () => {
    const to = receiver.stderr.match(/on (127\.0\.0\.1:\d+)/)?.[1];
    const body = JSON.stringify({ events: [] });
    const answer = await fetch(`http://${to}/events`, { method: 'POST', body });
    expect(answer.status).toBe(401);
  });
});
