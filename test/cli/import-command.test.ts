import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { runCommand } from '../support/run-command.ts';
import { tar } from '../support/tar.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

let folder: TempDir;
beforeEach(() => {
  folder = tempDir('import');
});
afterEach(async () => folder[Symbol.asyncDispose]());

it('takes what stands behind a key for the bundle, and not for another key', async () => {
  const keys = ['one.pub', 'two.pub'].map((name) => {
    const path = join(folder.path, name);
    const { publicKey } = generateKeyPairSync('ed25519');
    writeFileSync(path, publicKey.export({ type: 'spki', format: 'pem' }));
    return ['--verify-key', path];
  });
  const bundle = join(folder.path, 'site.tar');
  const data = ['--data', join(folder.path, 'data')];
  const { status, stderr } = await runCommand(['import', ...keys.flat(), bundle, ...data]);
  expect([status, stderr]).toEqual([1, expect.stringContaining(`${bundle} cannot be read`)]);
});

it.each([
  ['as it is', (bytes: Buffer) => bytes],
  ['packed', (bytes: Buffer) => zstdCompressSync(bytes)],
])('asks for the next part where parts end early, %s', async (_, pack) => {
  const part = join(folder.path, 'site.tar.001');
  const layout = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
  const whole = pack(tar([{ path: 'oci-layout', content: layout }]));
  writeFileSync(part, whole.subarray(0, Math.floor(whole.length / 2)));
  const { status, stderr } = await runCommand([
    'import',
    part,
    '--data',
    join(folder.path, 'data'),
  ]);
  expect([status, stderr]).toEqual([1, expect.stringContaining('is there a site.tar.002?')]);
});
