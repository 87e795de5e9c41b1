import { describe, expect, it } from '@jest/globals';
import { Keyv } from 'keyv';
import { pauseAfter, SharedCache } from '../../src/catalog/shared-cache.ts';
import { waitFor } from '../support/wait-for.ts';
import { RecordingObserver } from './support.ts';

/** A store in memory that can be made to fail or to say nothing. */
class Store extends Map<string, unknown> {
  mood: 'well' | 'failing' | 'silent' = 'well';
  calls = 0;

  async #answer<T>(answer: () => T): Promise<T> {
    this.calls += 1;
    if (this.mood === 'failing') throw new Error('out of order');
    if (this.mood === 'silent') await new Promise(() => undefined);
    return answer();
  }

  adapter() {
    return {
      get: (key: string) => this.#answer(() => this.get(key)),
      set: (key: string, value: unknown) => this.#answer(() => void this.set(key, value)),
      delete: (key: string) => this.#answer(() => this.delete(key)),
      clear: () => undefined,
    };
  }
}

function open(timeout = 50) {
  const store = new Store();
  const observer = new RecordingObserver();
  const keyv = new Keyv({ store: store.adapter(), namespace: '', throwOnErrors: true });
  const cache = new SharedCache({ store: keyv, prefix: 'p', timeout, observer });
  return { store, observer, cache };
}

describe('a shared cache', () => {
  it('is not asked before it was seen to work', async () => {
    const { store, observer, cache } = open();
    expect(cache.up).toBe(false);
    expect(await cache.get('a')).toBeUndefined();
    expect(await cache.set('a', 1, 1_000)).toBe(false);
    expect(store.calls).toBe(0);
    await cache.probe();
    expect(cache.up).toBe(true);
    expect(observer.states).toEqual([true]);
    expect(await cache.set('a', 1, 1_000)).toBe(true);
    expect(await cache.get('a')).toBe(1);
    expect([...store.keys()]).toEqual(['p:probe', 'p:a']);
    cache.close();
  });

  it('is not asked any more after one failure', async () => {
    const { store, observer, cache } = open();
    await cache.probe();
    store.mood = 'failing';
    expect(await cache.get('a')).toBeUndefined();
    expect(observer.states).toEqual([true, false]);
    expect(observer.operations).toEqual(['shared.get']);
    const { calls } = store;
    expect(await cache.get('a')).toBeUndefined();
    expect(await cache.set('a', 1, 1_000)).toBe(false);
    expect(store.calls).toBe(calls);
    cache.close();
  });

  it('keeps nobody waiting beyond the deadline, and lets all go together', async () => {
    const { store, observer, cache } = open(200);
    await cache.probe();
    store.mood = 'silent';
    const first = cache.get('first');
    const start = performance.now();
    const [one, ...others] = await Promise.all([
      first,
      ...Array.from({ length: 50 }, () => cache.get('a')),
      cache.set('a', 1, 1_000),
    ]);
    expect(performance.now() - start).toBeLessThan(400);
    expect(one).toBeUndefined();
    expect(others.at(-1)).toBe(false);
    expect(observer.errors).toHaveLength(1);
    cache.close();
  });

  it('comes back by itself', async () => {
    const { store, observer, cache } = open();
    await cache.probe();
    store.mood = 'failing';
    await cache.set('a', 1, 1_000);
    expect(cache.up).toBe(false);
    store.mood = 'well';
    await waitFor('the probe', () => cache.up);
    expect(observer.states).toEqual([true, false, true]);
    cache.close();
  });

  it('tells the same failure once while it lasts', async () => {
    const { store, observer, cache } = open();
    store.mood = 'failing';
    await cache.probe();
    await cache.probe();
    cache.fail('shared.connect', new Error('refused'));
    cache.fail('shared.connect', new Error('refused'));
    expect(observer.messages).toBe('Error: out of order\nError: refused');
    store.mood = 'well';
    await cache.probe();
    cache.fail('shared.connect', new Error('refused'));
    expect(observer.errors).toHaveLength(3);
    cache.close();
  });

  it('lets those who wait go when it is closed, and is not asked again', async () => {
    const { store, observer, cache } = open(60_000);
    await cache.probe();
    store.mood = 'silent';
    const waiting = cache.get('a');
    cache.close();
    expect(await waiting).toBeUndefined();
    const { calls } = store;
    await cache.probe();
    expect(await cache.get('a')).toBeUndefined();
    cache.fail('shared.connect', new Error('gone'));
    expect(store.calls).toBe(calls);
    expect(observer.states).toEqual([true]);
    expect(observer.errors).toEqual([]);
  });

  it('waits longer from probe to probe, up to ten seconds', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 1_000].map(pauseAfter);
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
  });
});
