import { describe, expect, it } from '@jest/globals';
import { SingleFlight } from '../../src/lib/single-flight.ts';

describe('SingleFlight', () => {
  it('runs the work once for all who ask while it runs', async () => {
    const flight = new SingleFlight<number>();
    const gate = Promise.withResolvers<number>();
    let runs = 0;
    const ask = () =>
      flight.run('a', () => {
        runs += 1;
        return gate.promise;
      });
    const asked = [ask(), ask(), ask()];
    expect(flight.has('a')).toBe(true);
    gate.resolve(7);
    expect(await Promise.all(asked)).toEqual([7, 7, 7]);
    expect(runs).toBe(1);
  });

  it('keeps different keys and different instances apart', async () => {
    const one = new SingleFlight<string>();
    const two = new SingleFlight<string>();
    expect(
      await Promise.all([
        one.run('a', async () => 'one a'),
        one.run('b', async () => 'one b'),
        two.run('a', async () => 'two a'),
      ]),
    ).toEqual(['one a', 'one b', 'two a']);
  });

  it('forgets a value as soon as anyone could have seen it', async () => {
    const flight = new SingleFlight<number>();
    let runs = 0;
    const ask = () => flight.run('a', async () => (runs += 1));
    expect(await ask()).toBe(1);
    expect(flight.has('a')).toBe(false);
    expect(await ask()).toBe(2);
  });

  it('hands a failure to all who joined and to nobody later', async () => {
    const flight = new SingleFlight<number>();
    const fail = () => flight.run('a', () => Promise.reject(new Error('broken')));
    const failed = await Promise.allSettled([fail(), fail()]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(flight.has('a')).toBe(false);
    expect(await flight.run('a', async () => 1)).toBe(1);
  });

  it('turns work that throws at once into a failure', async () => {
    const flight = new SingleFlight<number>();
    const run = flight.run('a', () => {
      throw new Error('at once');
    });
    await expect(run).rejects.toThrow('at once');
    expect(flight.has('a')).toBe(false);
  });
});
