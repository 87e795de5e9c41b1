import { expect, it, jest } from '@jest/globals';
import { scenarios } from '../chaos/scenarios/scenarios.ts';

jest.setTimeout(120_000);

// As large as they are meant: npm run chaos -- --scenario NAME
it.each([
  ['fan-out', 'a blob reaches 99 of 100 clients, one having left and the upstream having broken'],
  ['kill-during-fill', 'a fill that was killed goes on where it was'],
  ['failing-upstream', 'an upstream that fails altogether costs no cached tag its answer'],
  ['pressure', 'a store of a tenth of what is pulled breaks nobody off'],
])('%s: %s', async (name) => {
  const figures = await scenarios[name]?.('small', 1);
  expect(Object.keys(figures ?? {}).length).toBeGreaterThan(0);
});
