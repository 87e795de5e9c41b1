import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { DataDirectory } from '../support/data-directory.ts';
import { artifactOf, indexOf, seededImage } from '../support/images.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp-dir.ts';

it('gives, exported from where a bundle was imported, the same bundle again', async () => {
  await using near = await DataDirectory.create();
  await using folder = tempDir('far');
  const file = (name: string): string => join(folder.path, name);
  const image = indexOf({ amd64: seededImage([5000], 1), arm64: seededImage([6000], 2) });
  const sbom = artifactOf(image.manifest, 'application/spdx+json', 'what is in it');
  await near.cache('docker.io/library/krill', '1', image);
  await near.cache(
    'ghcr.io/org/list',
    'v1',
    indexOf({ amd64: seededImage([70], 3, 'docker') }, 'docker'),
  );
  await near.refer('docker.io/library/krill', image.manifest.digest, sbom);
  await near.push('local/app', 'x', seededImage([800], 4));
  mkdirSync(file('data'));
  const names = ['krill:1', 'ghcr.io/org/list:v1', 'local/app:x'];
  const run = async (data: string, ...args: readonly string[]): Promise<void> => {
    const { status, stderr } = await runCommand([...args, '--data', data, '--hosted', 'local/**']);
    expect([status, stderr]).toEqual([0, '']);
  };
  await run(near.path, 'export', ...names, '--referrers', '-o', file('there.tar'));
  await run(file('data'), 'import', file('there.tar'));
  await run(file('data'), 'export', ...names, '--referrers', '-o', file('back.tar'));
  expect(readFileSync(file('back.tar')).equals(readFileSync(file('there.tar')))).toBe(true);
});
