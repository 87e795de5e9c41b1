import { describe, expect, it } from '@jest/globals';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockForCommand, lockForService } from '../../src/service/data-lock.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

describe('the lock of a data directory', () => {
  const resources = testResources();

  const arrange = () => {
    const directory = resources.use(tempDir('data')).path;
    const said: string[] = [];
    const note = (message: string): void => void said.push(message);
    const controller = new AbortController();
    const { signal } = controller;
    const wait = (patience: number): Promise<Disposable | undefined> =>
      lockForService({ directory, logger: { info: note, warn: note }, signal, patience });
    return { directory, said, wait, stop: () => controller.abort() };
  };

  it('is waited for by a service until its predecessor has gone, which it says once', async () => {
    const { directory, said, wait } = arrange();
    const first = lockForCommand(directory, () => undefined);
    const waiting = wait(60_000);
    expect(said).toEqual([
      'another Baleen works on this data directory; waiting until it has stopped',
    ]);
    first[Symbol.dispose]();
    using second = await waiting;
    expect(second).toBeDefined();
    expect(said).toHaveLength(1);
  });

  it('is not waited for any longer than it takes to drain', async () => {
    const { directory, wait } = arrange();
    using _first = lockForCommand(directory, () => undefined);
    await expect(wait(0)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('another Baleen works on'),
    });
  });

  it('is not waited for by a service that is told to stop', async () => {
    const { directory, wait, stop } = arrange();
    using _first = lockForCommand(directory, () => undefined);
    const waiting = wait(60_000);
    stop();
    expect(await waiting).toBeUndefined();
  });

  it('is not waited for by a command, which says what to do', () => {
    const { directory } = arrange();
    using _first = lockForCommand(directory, () => undefined);
    expect(() => lockForCommand(directory, () => undefined)).toThrow('set operations.listen');
  });

  it('is done without where there can be none, with a warning', async () => {
    const { directory, said, wait } = arrange();
    // A folder where the file has to be.
    mkdirSync(join(directory, 'v1/lock'), { recursive: true });
    writeFileSync(join(directory, 'v1/lock/x'), '');
    using lock = await wait(0);
    expect(lock).toBeDefined();
    expect(said).toEqual([expect.stringContaining('cannot be locked')]);
  });
});
