import { expect, it, jest } from '@jest/globals';
import { pushes } from '../chaos/scenarios/pushes.ts';

jest.setTimeout(300_000);

// Larger: npm run chaos -- --scenario pushes
it('loses no image that was acknowledged, killed ten times among 200 pushes and collecting all the while', async () => {
  const figures = await pushes('small', 1);
  expect(figures).toMatchObject({ 'images pushed at once': 200, 'killed and restarted': 10 });
  expect(figures['collections meanwhile']).toBeGreaterThan(0);
});
