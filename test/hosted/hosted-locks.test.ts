import { describe, expect, it } from '@jest/globals';
import { HostedLocks } from '../../src/hosted/hosted-locks.ts';
import { digestOf } from '../../src/oci/digest.ts';

const layer = digestOf(Buffer.from('layer'));
const config = digestOf(Buffer.from('config'));

/** Work that says when it starts, and ends when it is told to. */
function held(log: string[], name: string): { work: () => Promise<void>; end: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const work = async (): Promise<void> => {
    log.push(`${name} starts`);
    await promise;
    log.push(`${name} ends`);
  };
  return { work, end: resolve };
}

describe('HostedLocks', () => {
  it('changes one repository at a time, and others beside it', async () => {
    const locks = new HostedLocks();
    const log: string[] = [];
    const first = held(log, 'first');
    const running = locks.withRepository('_hosted/a', first.work);
    const waiting = locks.withRepository('_hosted/a', async () => void log.push('second'));
    await locks.withRepository('_hosted/b', async () => void log.push('other'));
    first.end();
    await Promise.all([running, waiting]);
    expect(log).toEqual(['first starts', 'other', 'first ends', 'second']);
  });

  it('keeps the deletion of a blob away while it is being linked, also among others', async () => {
    const locks = new HostedLocks();
    const log: string[] = [];
    const link = held(log, 'link');
    const linking = locks.withBlobs([layer, config], link.work);
    const deleting = locks.withBlobs([config], async () => void log.push('delete'));
    link.end();
    await Promise.all([linking, deleting]);
    expect(log).toEqual(['link starts', 'link ends', 'delete']);
  });

  it('lets blobs be locked inside a repository, whoever holds the same blobs elsewhere', async () => {
    const locks = new HostedLocks();
    const pushes = ['_hosted/a', '_hosted/b', '_hosted/a'].map((key, index) =>
      locks.withRepository(key, () =>
        locks.withBlobs(index === 1 ? [config, layer] : [layer, config], async () => key),
      ),
    );
    expect(await Promise.all(pushes)).toEqual(['_hosted/a', '_hosted/b', '_hosted/a']);
  });

  it('is free again after a failure', async () => {
    const locks = new HostedLocks();
    const failing = locks.withRepository('_hosted/a', () =>
      locks.withBlobs([layer], () => Promise.reject(new Error('the disk is full'))),
    );
    await expect(failing).rejects.toThrow('the disk is full');
    const next = locks.withRepository('_hosted/a', () => locks.withBlobs([layer], async () => 1));
    expect(await next).toBe(1);
  });

  it('tells who holds a blob that somebody held it since the watch began', async () => {
    const locks = new HostedLocks();
    await locks.withBlobs([config], async () => undefined);
    const log: string[] = [];
    using watch = locks.watchBlobs();
    const first = held(log, 'first');
    const linking = locks.withBlobs([layer], first.work);
    const collecting = locks.withBlobs([config, layer], async () => [...watch.seen]);
    first.end();
    await linking;
    // Not what was held before, nor what the one who asks holds itself.
    expect(await collecting).toEqual([layer]);
    await locks.withBlobs([config], () => Promise.reject(new Error('no'))).catch(() => undefined);
    expect(watch.seen).toEqual(new Set([layer, config]));
  });

  it('notes nothing any more for a watch that has ended', async () => {
    const locks = new HostedLocks();
    const watch = locks.watchBlobs();
    watch[Symbol.dispose]();
    await locks.withBlobs([layer], async () => undefined);
    expect(watch.seen.size).toBe(0);
  });
});
