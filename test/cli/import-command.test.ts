import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { runCommand } from '../support/run-command.ts';
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
