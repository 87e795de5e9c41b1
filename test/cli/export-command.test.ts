import { generateKeyPairSync } from 'node:crypto';
import {
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  isSignedBy,
  parseBundleSignature,
  readVerificationKey,
} from '../../src/bundle/bundle-signature.ts';
import { DataDirectory } from '../support/data-directory.ts';
import { artifactOf, indexOf, seededImage, type Image } from '../support/images.ts';
import { readBundle } from '../support/read-bundle.ts';
import { runCommand, type CommandRun } from '../support/run-command.ts';
import { flipBit } from '../support/stored.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const amd64 = seededImage([5000, 3_000_000], 1);
const arm64 = seededImage([5000, 2_000_000], 2);
const krill = indexOf({ amd64, arm64 });
const docker = seededImage([400_000], 3, 'docker');
const local = seededImage([1_200_000], 4);
const half = indexOf({ amd64: seededImage([100], 5), arm64: seededImage([200], 6) });
const sbom = artifactOf(amd64.manifest, 'application/spdx+json', 'what is in it');
const signed = artifactOf(sbom.manifest, 'application/vnd.example.signature', 'so be it');

let data: DataDirectory;
let folder: TempDir;
const file = (name: string): string => join(folder.path, name);
const digests = (...images: readonly Image[]): string[] =>
  [
    ...new Set(
      images.flatMap(({ manifest, children, blobs }) =>
        [manifest, ...children, ...blobs].map(({ digest }) => digest as string),
      ),
    ),
  ].toSorted();

beforeAll(async () => {
  data = await DataDirectory.create();
  folder = tempDir('bundles');
  await data.cache('docker.io/library/krill', '1', krill);
  await data.cache('docker.io/library/krill', 'plain', amd64);
  await data.cache('quay.io/org/docker', 'v1', docker);
  await data.cache('ghcr.io/org/half', 'v1', half, [half.children[1]!]);
  await data.refer('docker.io/library/krill', amd64.manifest.digest, sbom);
  await data.refer('docker.io/library/krill', sbom.manifest.digest, signed);
  await data.push('local/app', 'x', local);
});

afterAll(async () => {
  await data[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const baleen = (...args: readonly string[]): Promise<CommandRun> =>
  runCommand([...args, '--data', data.path, '--hosted', 'local/**']);

async function exported(output: string, ...args: readonly string[]): Promise<CommandRun> {
  const run = await baleen('export', '-o', file(output), ...args);
  if (run.status !== 0) throw new Error(run.stderr);
  return run;
}

describe('baleen export', () => {
  it('writes images with all that they need, whatever they are and wherever they lie', async () => {
    const run = await exported('all.tar', 'krill:1', 'quay.io/org/docker:v1', 'local/app:x');
    expect(run.stdout).toContain('docker.io/library/krill:1 (linux/amd64, linux/arm64)\n');
    expect(run.stdout).toMatch(/^Wrote .*all\.tar: 3 images, 5 manifests, 10 blobs \(/m);
    expect(run.stderr).toBe('');
    const bundle = await readBundle(file('all.tar'));
    expect(bundle.names.slice(0, 3)).toEqual(['oci-layout', 'baleen.json', 'index.json']);
    expect(bundle.contents.toSorted()).toEqual(digests(krill, docker, local));
    expect(bundle.digests.images.map(({ name, digest }) => [name, digest])).toEqual([
      ['docker.io/library/krill:1', krill.manifest.digest],
      ['local/app:x', local.manifest.digest],
      ['quay.io/org/docker:v1', docker.manifest.digest],
    ]);
  });

  it('gives the same bytes whatever the order, and for a digest or a tag the same content', async () => {
    await exported('one.tar', 'local/app:x', 'krill:1', 'quay.io/org/docker:v1', 'krill:1');
    await exported('two.tar', 'quay.io/org/docker:v1', 'krill:1', 'local/app:x');
    expect(readFileSync(file('one.tar')).equals(readFileSync(file('two.tar')))).toBe(true);
    await exported('digest.tar', `krill@${krill.manifest.digest}`);
    const { contents, digests: named } = await readBundle(file('digest.tar'));
    expect(contents.toSorted()).toEqual(digests(krill));
    expect(named.images[0]?.name).toBe(`docker.io/library/krill@${krill.manifest.digest}`);
  });

  it('takes every tag of a repository that is given without one', async () => {
    await exported('repository.tar', 'docker.io/library/krill');
    const { digests: named } = await readBundle(file('repository.tar'));
    expect(named.images.map(({ name }) => name)).toEqual([
      'docker.io/library/krill:1',
      'docker.io/library/krill:plain',
    ]);
  });

  it('takes what is stored of an index, or the platforms that it is told', async () => {
    await exported('half.tar', 'ghcr.io/org/half:v1');
    const half_ = await readBundle(file('half.tar'));
    expect(half_.digests.images[0]?.platforms).toEqual(['linux/amd64']);
    expect(half_.contents).not.toContain(half.children[1]!.digest);
    await exported('arm.tar', 'krill:1', '--platform', 'linux/arm64/v8');
    const arm = await readBundle(file('arm.tar'));
    expect(arm.digests.images[0]?.platforms).toEqual(['linux/arm64']);
    expect(arm.contents.toSorted()).toEqual([krill.manifest.digest, ...digests(arm64)].toSorted());
  });

  it('takes along what refers to images, and to that, where it is told to', async () => {
    await exported('plain.tar', 'krill:plain');
    expect((await readBundle(file('plain.tar'))).digests.referrers).toEqual([]);
    await exported('signed.tar', 'krill:plain', '--referrers');
    const { digests: named, contents } = await readBundle(file('signed.tar'));
    expect(contents.toSorted()).toEqual(digests(amd64, sbom, signed));
    expect(named.referrers).toEqual(
      [
        expect.objectContaining({
          repository: 'docker.io/library/krill',
          digest: sbom.manifest.digest,
          subject: amd64.manifest.digest,
          artifactType: 'application/spdx+json',
        }),
        expect.objectContaining({ digest: signed.manifest.digest, subject: sbom.manifest.digest }),
      ].toSorted((a, b) => (subjectOf(a) < subjectOf(b) ? -1 : 1)),
    );
  });

  it('takes what fits a pattern, and what lists name, for the platforms that they tell', async () => {
    writeFileSync(file('list.txt'), 'krill:1 platform=linux/amd64 # ours\nquay.io/org/docker:v*\n');
    await exported('list.tar', '-f', file('list.txt'), 'krill:p*');
    const { digests: named, contents } = await readBundle(file('list.tar'));
    expect(named.images.map(({ name, platforms }) => [name, platforms])).toEqual([
      ['docker.io/library/krill:1', ['linux/amd64']],
      ['docker.io/library/krill:plain', ['linux/amd64']],
      ['quay.io/org/docker:v1', ['linux/amd64']],
    ]);
    expect(contents).not.toContain(arm64.manifest.digest);
    // Asked for once more, for another platform: both are meant.
    writeFileSync(file('list.txt'), 'krill:1 platform=linux/amd64\n');
    await exported('both.tar', '-f', file('list.txt'), '--platform', 'linux/arm64', 'krill:1');
    expect((await readBundle(file('both.tar'))).digests.images[0]?.platforms).toEqual([
      'linux/amd64',
      'linux/arm64',
    ]);
    writeFileSync(file('other.txt'), 'krill\n');
    const latest = await baleen('export', '-o', file('none.tar'), '-f', file('other.txt'));
    expect(latest.stderr).toContain('docker.io/library/krill:latest\n    it is not known here');
    const none = await baleen('export', '-o', file('none.tar'), 'krill:9*');
    expect([none.status, none.stderr]).toEqual([
      1,
      expect.stringContaining('none of its 2 tags fits'),
    ]);
  });

  it('refuses what is not wholly stored before it writes, and says what brings it', async () => {
    const run = await baleen(
      'export',
      '-o',
      file('none.tar'),
      '--platform',
      'linux/arm64',
      'krill:1',
      'ghcr.io/org/half:v1',
      'nginx:1.27',
      'local/nope:1',
      'krill:plain',
    );
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('4 images not wholly stored; nothing was written.');
    expect(run.stderr).toContain('→ baleen warm ghcr.io/org/half:v1 --platform linux/arm64\n');
    expect(run.stderr).toContain('→ baleen warm docker.io/library/nginx:1.27\n');
    expect(run.stderr).toContain('local/nope:1\n    it was never pushed here\n');
    expect(run.stderr).toContain('there is no linux/arm64 of it: it is for linux/amd64\n');
    expect(run.stderr).not.toContain('library/krill:1\n');
    expect(readdirSync(folder.path)).not.toContain('none.tar');
  });

  it('refuses a layer that was cut short, and a referrer that is not there', async () => {
    await using other = await DataDirectory.create();
    await other.cache('docker.io/library/krill', '1', amd64, [amd64.blobs[1]!]);
    writeFileSync(other.cached.blob(amd64.blobs[2]!.digest), 'short');
    await other.cache('docker.io/library/lone', '1', arm64);
    await other.refer('docker.io/library/lone', arm64.manifest.digest, sbom);
    rmSync(other.cached.blob(sbom.blobs[1]!.digest));
    const run = await runCommand([
      'export',
      '-o',
      file('none.tar'),
      '--referrers',
      'krill:1',
      'lone:1',
      '--data',
      other.path,
    ]);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('a blob is not stored\n    a blob is damaged\n');
    expect(run.stderr).toContain(
      '→ baleen verify --repair; baleen warm docker.io/library/krill:1\n',
    );
    expect(run.stderr).toContain('a blob of what refers to it is not stored\n');
    expect(run.stderr).toContain('→ baleen warm docker.io/library/lone:1 --referrers');
  });

  it('fails over a blob with wrong bytes, and leaves nothing that looks finished', async () => {
    await using other = await DataDirectory.create();
    await other.cache('docker.io/library/krill', '1', krill);
    await flipBit(other.cached.blob(arm64.blobs[2]!.digest));
    writeFileSync(file('kept.tar'), 'an earlier one');
    const run = await runCommand([
      'export',
      '-o',
      file('kept.tar'),
      'krill:1',
      '--data',
      other.path,
    ]);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain(`the file of ${arm64.blobs[2]!.digest} is damaged`);
    expect(readFileSync(file('kept.tar'), 'utf8')).toBe('an earlier one');
    const split = ['--split', '1MiB', '-o', file('kept.tar')];
    expect((await runCommand(['export', ...split, 'krill:1', '--data', other.path])).status).toBe(
      1,
    );
    expect(readdirSync(folder.path).filter((name) => name.startsWith('kept'))).toEqual([
      'kept.tar',
    ]);
  });

  it('leaves out what an earlier bundle had, or the far side lists', async () => {
    await exported('first.tar.zst', 'krill:plain', '--compress', 'zstd');
    await exported('first.tar', 'krill:plain', '--split', '1MiB');
    const expected = digests(krill).filter(
      (digest) => !amd64.blobs.some((blob) => blob.digest === digest),
    );
    writeFileSync(
      file('have.txt'),
      `# of the far side\n\n${amd64.blobs.map(({ digest, bytes }) => `${digest} ${bytes.length}\n`).join('')}`,
    );
    for (const [option, value] of [
      ['--since', file('first.tar.zst')],
      ['--since', file('first.tar.001')],
      ['--have', file('have.txt')],
    ] as const) {
      const run = await exported('delta.tar', 'krill:1', option, value);
      expect(run.stdout).toMatch(/3 blobs left out \(2\.87 MiB\)/);
      const { contents, digests: named } = await readBundle(file('delta.tar'));
      expect(contents.toSorted()).toEqual(expected);
      expect(named.blobs.filter(({ included }) => !included).map(({ digest }) => digest)).toEqual(
        amd64.blobs.map(({ digest }) => digest).toSorted(),
      );
    }
    // A delta on top of a delta leaves out what either had.
    await exported('third.tar', 'krill:1', '--since', file('delta.tar'));
    expect((await readBundle(file('third.tar'))).contents.toSorted()).toEqual(
      [krill, amd64, arm64].map(({ manifest }) => manifest.digest).toSorted(),
    );
  });

  it('believes no list that tells another size', async () => {
    const [config] = local.blobs;
    writeFileSync(file('wrong.txt'), `${config!.digest} ${config!.bytes.length + 1}\n`);
    await exported('whole.tar', 'local/app:x', '--have', file('wrong.txt'));
    expect((await readBundle(file('whole.tar'))).contents.toSorted()).toEqual(digests(local));
  });

  it('refuses lists and bundles that are none', async () => {
    writeFileSync(file('bad.txt'), `${local.blobs[0]!.digest} 1\nkrill\n`);
    writeFileSync(file('bad.tar'), 'no tar at all');
    const args = ['export', '-o', file('none.tar'), 'local/app:x'];
    const list = await baleen(...args, '--have', file('bad.txt'));
    expect([list.status, list.stderr]).toEqual([
      1,
      expect.stringContaining('bad.txt:2: this is no line of baleen inventory'),
    ]);
    const tar = await baleen(...args, '--since', file('bad.tar'));
    expect([tar.status, tar.stderr]).toEqual([
      1,
      expect.stringContaining('bad.tar is no bundle that baleen export has written'),
    ]);
    const none = await baleen(...args, '--since', file('nowhere.tar'));
    expect([none.status, none.stderr]).toEqual([1, expect.stringContaining('no such file')]);
  });

  it('cuts a bundle into parts, in place of those of an earlier one', async () => {
    for (const number of ['001', '007', '008.partial'])
      writeFileSync(file(`parts.tar.${number}`), 'old');
    writeFileSync(file('parts.tar.0011'), 'not ours');
    const run = await exported('parts.tar', 'krill:1', '--split', '1MiB');
    const parts = ['001', '002', '003', '004', '005'].map((number) => `parts.tar.${number}`);
    expect(
      readdirSync(folder.path)
        .filter((name) => name.startsWith('parts'))
        .toSorted(),
    ).toEqual([...parts, 'parts.tar.0011'].toSorted());
    expect(run.stdout).toMatch(/Wrote 5 parts, .*parts\.tar\.001 to .*parts\.tar\.005: 1 image/);
    expect(parts.slice(0, -1).map((name) => statSync(file(name)).size)).toEqual(
      Array(4).fill(1024 * 1024),
    );
    expect((await readBundle(...parts.map(file))).contents.toSorted()).toEqual(digests(krill));
  });

  it.each(['zst zstd', 'gz gzip:1', 'zst zstd:6'])(
    'compresses the whole of it: .%s',
    async (how) => {
      const [ending = '', choice = ''] = how.split(' ');
      await exported('small.tar', 'krill:1');
      const name = `small-${choice.replace(':', '-')}.tar.${ending}`;
      await exported(name, 'krill:1', '--compress', choice);
      expect((await readBundle(file(name))).digests).toEqual(
        (await readBundle(file('small.tar'))).digests,
      );
    },
  );

  it('signs it, with a key that may be locked, and tells which', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const locked = privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'krill',
    });
    writeFileSync(file('key.pem'), locked);
    writeFileSync(file('passphrase'), 'krill\n');
    const args = ['local/app:x', '--sign-key', file('key.pem')];
    const refused = await baleen('export', '-o', file('signed-none.tar'), ...args);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining('no passphrase was given'),
    ]);
    const run = await exported('by-file.tar', ...args, '--passphrase-file', file('passphrase'));
    expect(run.stdout).toContain('Signed with the key sha256:');
    const { names, files } = await readBundle(file('by-file.tar'));
    expect(names.slice(0, 4)).toEqual(['oci-layout', 'baleen.json', 'baleen.sig', 'index.json']);
    const signature = parseBundleSignature(files.get('baleen.sig')!);
    const open = readVerificationKey(publicKey.export({ type: 'spki', format: 'pem' }));
    expect(isSignedBy(files.get('baleen.json')!, signature, [open])).toBe(true);
    const byVariable = await runCommand(
      [
        'export',
        '-o',
        file('by-variable.tar'),
        ...args,
        '--data',
        data.path,
        '--hosted',
        'local/**',
      ],
      { env: { BALEEN_PASSPHRASE: 'krill' } },
    );
    expect(byVariable.status).toBe(0);
    expect(readFileSync(file('by-variable.tar')).equals(readFileSync(file('by-file.tar')))).toBe(
      true,
    );
  });

  it('writes to standard output, where it says nothing else', async () => {
    await exported('file.tar', 'local/app:x');
    const stdoutFd = openSync(file('stdout.tar'), 'w');
    const args = ['export', 'local/app:x', '-o', '-', '--data', data.path, '--hosted', 'local/**'];
    const run = await runCommand(args, { stdoutFd });
    closeSync(stdoutFd);
    expect([run.status, run.stdout]).toEqual([0, '']);
    expect(run.stderr).toContain('Wrote to standard output: 1 image');
    expect(readFileSync(file('stdout.tar')).equals(readFileSync(file('file.tar')))).toBe(true);
    const terminal = await runCommand(args, { tty: true });
    expect([terminal.status, terminal.stderr]).toEqual([
      1,
      expect.stringContaining('write -o FILE'),
    ]);
  });

  it('only says what it would do in a dry run', async () => {
    const run = await baleen(
      'export',
      'krill:1',
      'local/app:x',
      '--dry-run',
      '-o',
      file('dry.tar'),
    );
    expect(run.stdout).toMatch(/Would write .*: 2 images, 4 manifests, /);
    expect(readdirSync(folder.path)).not.toContain('dry.tar');
    expect((await baleen('export', 'local/app:x', '--dry-run')).status).toBe(0);
  });

  it('tells everything as JSON', async () => {
    const run = await exported('json.tar', 'krill:1', '--json');
    const documents = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string });
    expect(documents[0]).toMatchObject({ kind: 'planned', manifests: 3, left_out_blobs: 0 });
    const { size } = statSync(file('json.tar'));
    expect(documents.at(-1)).toMatchObject({
      kind: 'summary',
      images: 1,
      files: [file('json.tar')],
      bytes: size,
      written: size,
    });
    const lacking = await baleen('export', 'nginx', '--json', '-o', file('none.tar'));
    expect(JSON.parse(lacking.stdout)).toMatchObject({
      kind: 'lacking',
      name: 'docker.io/library/nginx',
      advice: 'baleen warm docker.io/library/nginx',
    });
  });

  it.each([
    [['-o', 'x.tar'], /name the images/],
    [['krill:1'], /-o FILE says what to write/],
    [['krill:1', '-o', '-', '--split', '4GiB'], /standard output cannot be split/],
    [['krill:1', '-o', 'x', '--split', '10'], /--split expects a size of at least 1MiB/],
    [['krill:1', '-o', 'x', '--compress', 'xz'], /--compress expects zstd/],
    [['krill:1', '-o', 'x', '--platform', 'linux-amd64'], /is no platform/],
  ])('answers misuse with status 2: %j', async (args, reason) => {
    const run = await baleen('export', ...args);
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(reason);
  });

  it.each([
    [['KRILL:1'], /KRILL:1: invalid repository name/],
    [[krill.manifest.digest], /a digest alone is no image/],
  ])('refuses what is no image: %j', async (args, reason) => {
    const run = await baleen('export', '-o', file('none.tar'), ...args);
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(reason);
  });

  it('writes into no folder, and into none that is not there', async () => {
    mkdirSync(file('folder'), { recursive: true });
    const there = await baleen('export', 'local/app:x', '-o', file('folder'));
    expect([there.status, there.stderr]).toEqual([1, expect.stringContaining('is a folder')]);
    const gone = await baleen('export', 'local/app:x', '-o', file('nowhere/x.tar'));
    expect([gone.status, gone.stderr]).toEqual([1, expect.stringContaining('no such file')]);
  });
});

describe('baleen inventory', () => {
  it('lists what an export takes for granted', async () => {
    const run = await baleen('inventory');
    expect(run.status).toBe(0);
    writeFileSync(file('inventory.txt'), run.stdout);
    await exported('nothing.tar', 'krill:1', 'local/app:x', '--have', file('inventory.txt'));
    const { contents } = await readBundle(file('nothing.tar'));
    const manifests = [krill, amd64, arm64, local].map(({ manifest }) => manifest.digest);
    expect(contents.toSorted()).toEqual(manifests.toSorted());
  });
});

const subjectOf = (value: unknown): string =>
  (value as { sample: { subject: string } }).sample.subject;
