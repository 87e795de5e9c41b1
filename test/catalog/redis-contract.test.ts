import { afterAll, beforeAll, describe, jest } from '@jest/globals';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import { Serial } from '../../src/lib/serial.ts';
import { catalogContract, type CatalogUnderTest } from '../contract/catalog.ts';
import { RedisServer } from '../support/redis-server.ts';
import { openCatalog } from './support.ts';

jest.setTimeout(60_000);

/** What is done to the server before the first calls of a test; call by call, then round again. */
type Trouble = ((server: RedisServer) => void | Promise<void>)[];

const nothing = (): void => undefined;

/** As long as nothing is put right again, there is no reason to go on. */
const longest = 24;

let prefixes = 0;

function suite(name: string, trouble: Trouble, { password = 'right' } = {}): void {
  describe(name, () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await RedisServer.start({ password: 'right' });
    });
    afterAll(async () => {
      server.resume();
      await server[Symbol.asyncDispose]();
    });

    catalogContract(name, async (): Promise<CatalogUnderTest> => {
      const keyPrefix = `test-${(prefixes += 1)}`;
      const redis = { url: server.url, password, keyPrefix };
      const test = await openCatalog((directory, observer) =>
        createCatalog({ directory, redis, observer }),
      );
      let calls = 0;
      const oneByOne = new Serial();
      const disturb = async (): Promise<void> => {
        const next = calls < longest ? trouble[calls % trouble.length] : undefined;
        calls += 1;
        await oneByOne.run(['trouble'], async () => next?.(server));
      };
      return {
        catalog: disturbed(test.catalog, disturb),
        reopen: async () => disturbed(await test.reopen(), disturb),
        async [Symbol.asyncDispose]() {
          await test[Symbol.asyncDispose]();
        },
      };
    });
  });
}

/** The same catalog, with something done before each call. */
function disturbed(catalog: Catalog, disturb: () => Promise<void>): Catalog {
  return new Proxy(catalog, {
    get: (target, name: keyof Catalog) => {
      const method = target[name] as ((...values: unknown[]) => unknown) | undefined;
      // A promise asks whether this is one, too.
      if (method === undefined) return undefined;
      return async (...values: unknown[]) => {
        await disturb();
        return method.apply(target, values);
      };
    },
  });
}

suite('with Redis', []);
suite('with Redis flushed again and again', [(server) => server.flush().catch(nothing)]);
suite('with a Redis that refuses the password', [], { password: 'wrong' });
suite('with Redis killed and started again', [
  nothing,
  (server) => server.stop(),
  nothing,
  nothing,
  (server) => server.start(),
  nothing,
]);
suite('with Redis hanging and going on', [
  nothing,
  (server) => server.pause(),
  nothing,
  nothing,
  (server) => server.resume(),
  nothing,
]);
