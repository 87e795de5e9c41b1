import { expect, it, jest } from '@jest/globals';
import { runChaos } from '../chaos/run.ts';
import { noteNotRun } from '../support/not-run.ts';

jest.setTimeout(240_000);

/** Milliseconds of faults; `npm run chaos` has as many as one likes. */
const length = 20_000;

it.each([1, 2])('a storm of faults leaves nothing wrong behind: seed %d', async (seed) => {
  const { findings } = await runChaos(seed, length, (line) => {
    noteNotRun(`the storm of faults`, line);
  });
  const again = `npm run chaos -- --seed ${String(seed)} --minutes ${(length / 60_000).toFixed(2)}`;
  expect({ findings, again }).toEqual({ findings: [], again });
});
