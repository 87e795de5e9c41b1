import { afterEach, describe, expect, it } from '@jest/globals';
import { hashSync } from 'bcryptjs';
import { PasswordThreads } from '../../src/access/password-checks.ts';
import { isRegistryError } from '../../src/oci/errors.ts';
import { waitFor } from '../support/wait-for.ts';

const hash = hashSync('secret', 10);
let threads = new PasswordThreads();

afterEach(async () => {
  await threads.close();
  threads = new PasswordThreads();
});

describe('the threads that compare passwords', () => {
  it('tell right from wrong', async () => {
    expect(await threads.compare('secret', hash, 'a')).toBe(true);
    expect(await threads.compare('Secret', hash, 'a')).toBe(false);
    expect(await threads.compare('secret', `$2b$10$${'.'.repeat(53)}`, 'a')).toBe(false);
  });

  it('leave the event loop to others', async () => {
    await threads.compare('secret', hash, 'a');
    let turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    turn();
    await Promise.all(Array.from({ length: 5 }, () => threads.compare('secret', hash, 'a')));
    isOver = true;
    // In slices on this thread, there would be one turn for each comparison.
    expect(turns).toBeGreaterThan(100);
  });

  it('let no client take all places in the queue', async () => {
    const asked: Promise<unknown>[] = [];
    const refused: unknown[] = [];
    const ask = (client: string): void => {
      try {
        asked.push(threads.compare('wrong', `$2b$04$${'.'.repeat(53)}`, client));
      } catch (error) {
        refused.push(error);
      }
    };
    for (let index = 0; index < 100; index++) ask('greedy');
    expect(asked.length).toBeLessThan(40);
    expect(refused.every((error) => isRegistryError(error, 'UNAVAILABLE'))).toBe(true);
    const before = refused.length;
    ask('modest');
    expect(refused).toHaveLength(before);
    for (let index = 0; index < 100; index++) ask(`one of many ${index}`);
    expect(asked.length).toBeLessThan(70);
    await Promise.all(asked);
    expect(threads.waiting).toBe(0);
    expect(await threads.compare('secret', hash, 'greedy')).toBe(true);
  });

  it('end when there is nothing to do, and come back', async () => {
    const brief = new PasswordThreads(10);
    expect(await brief.compare('secret', hash, 'a')).toBe(true);
    await waitFor('the threads to end', () => brief.threads === 0);
    expect(await brief.compare('wrong', hash, 'a')).toBe(false);
    await brief.close();
  });

  it('fail what waits when they are closed', async () => {
    const asked = Array.from({ length: 5 }, () => threads.compare('secret', hash, 'a'));
    const ended = Promise.allSettled(asked);
    await threads.close();
    expect((await ended).map(({ status }) => status)).toContain('rejected');
    expect(() => threads.compare('secret', hash, 'a')).toThrow('being checked');
  });
});
