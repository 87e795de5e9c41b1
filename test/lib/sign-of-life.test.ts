import { describe, expect, it } from '@jest/globals';
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findSigner, SignOfLife } from '../../src/lib/sign-of-life.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const longAgo = new Date('2020-01-01T00:00:00Z');

describe('a sign of life', () => {
  const resources = testResources();

  const place = () => {
    const tmpDir = resources.use(tempDir('sign')).path;
    return { path: join(tmpDir, 'in-use.json'), tmpDir };
  };
  const sign = async (path: string, tmpDir: string, role = 'serve'): Promise<SignOfLife> => {
    const signed = await SignOfLife.begin(path, role, tmpDir);
    resources.defer(() => signed.end());
    return signed;
  };

  it('tells who is at work, until it is taken away', async () => {
    const { path, tmpDir } = place();
    expect(await findSigner(path)).toBeUndefined();
    const signed = await sign(path, tmpDir);
    expect(await findSigner(path)).toMatchObject({ pid: process.pid, role: 'serve' });
    await signed.end();
    expect(await findSigner(path)).toBeUndefined();
  });

  it('is renewed all the time', async () => {
    const { path, tmpDir } = place();
    await sign(path, tmpDir);
    await utimes(path, longAgo, longAgo);
    await waitFor('the next beat', async () => (await stat(path)).mtime > longAgo);
  });

  it('comes back where somebody has taken it away', async () => {
    const { path, tmpDir } = place();
    const signed = await sign(path, tmpDir);
    await rm(path);
    await waitFor('the next beat', () => signed.isLast());
  });

  it('is given as soon as the disk lets it, by who does not insist', async () => {
    const { path, tmpDir } = place();
    const missing = join(tmpDir, 'later');
    await writeFile(missing, 'a file where a folder has to be');
    await expect(SignOfLife.begin(path, 'gc', missing)).rejects.toThrow('EEXIST');
    const signed = await SignOfLife.tryToBegin(path, 'serve', missing);
    resources.defer(() => signed.end());
    expect(await signed.isLast()).toBe(false);
    await rm(missing);
    await waitFor('the sign', () => signed.isLast());
  });

  it('is believed also where its time is long ago, if it changes', async () => {
    const { path, tmpDir } = place();
    await sign(path, tmpDir);
    await utimes(path, longAgo, longAgo);
    expect(await findSigner(path)).toMatchObject({ role: 'serve' });
  });

  it('is not believed where it is old and stays so', async () => {
    const { path, tmpDir } = place();
    const signed = await sign(path, tmpDir);
    const left = await readFile(path);
    await signed.end();
    await writeFile(path, left);
    await utimes(path, longAgo, longAgo);
    expect(await findSigner(path)).toBeUndefined();
  });

  it('is that of the last who came, and the first notices', async () => {
    const { path, tmpDir } = place();
    const first = await sign(path, tmpDir, 'gc');
    expect(await first.isLast()).toBe(true);
    const second = await sign(path, tmpDir);
    expect(await first.isLast()).toBe(false);
    await first.end();
    expect(await second.isLast()).toBe(true);
  });

  it('is none where the file says nothing', async () => {
    const { path } = place();
    await writeFile(path, 'half a');
    expect(await findSigner(path)).toBeUndefined();
  });
});
