import { describe, expect, it } from '@jest/globals';
import { Serial } from '../../src/lib/serial.ts';

describe('Serial', () => {
  it('runs work on the same key in the order of arrival, and on others beside it', async () => {
    const serial = new Serial();
    const log: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = serial.run(['a'], async () => {
      await gate.promise;
      log.push('first a');
    });
    const second = serial.run(['a'], async () => void log.push('second a'));
    await serial.run(['b'], async () => void log.push('b'));
    gate.resolve();
    await Promise.all([first, second]);
    expect(log).toEqual(['b', 'first a', 'second a']);
  });

  it('does not lock itself out where several keys are wanted in different orders', async () => {
    const serial = new Serial();
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      running -= 1;
    };
    await Promise.all([
      serial.run(['a', 'b'], work),
      serial.run(['b', 'a'], work),
      serial.run(['b', 'c', 'a'], work),
      serial.run(['a'], work),
    ]);
    expect(most).toBe(1);
  });

  it('goes on after a failure', async () => {
    const serial = new Serial();
    const failing = serial.run(['a'], () => Promise.reject(new Error('broken')));
    const next = serial.run(['a'], async () => 'done');
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe('done');
  });
});
