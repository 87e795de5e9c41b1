import { expect } from '@jest/globals';
import { createCatalog } from '../../src/catalog/create-catalog.ts';
import { catalogContract } from '../contract/catalog.ts';
import { openCatalog } from './support.ts';

catalogContract('without a shared cache', async () => {
  const test = await openCatalog((directory, observer) => createCatalog({ directory, observer }));
  return {
    catalog: test.catalog,
    reopen: () => test.reopen(),
    async [Symbol.asyncDispose]() {
      await test[Symbol.asyncDispose]();
      expect(test.observer.errors).toEqual([]);
      expect(test.observer.states).toEqual([]);
    },
  };
});
