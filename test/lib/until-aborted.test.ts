import { expect, it, jest } from '@jest/globals';
import { untilAborted } from '../../src/lib/until-aborted.ts';

const gone = new Error('gone');

it('waits for a promise until the signal ends the wait', async () => {
  const { signal } = new AbortController();
  await expect(untilAborted(Promise.resolve(1), signal)).resolves.toBe(1);
  const stop = new AbortController();
  const waiting = untilAborted(Promise.withResolvers<void>().promise, stop.signal);
  stop.abort(gone);
  await expect(waiting).rejects.toBe(gone);
});

it('takes charge of a promise that nobody waits for, since the signal came before', async () => {
  const failing = Promise.withResolvers<void>();
  const then = jest.spyOn(failing.promise, 'then');
  const waiting = untilAborted(failing.promise, AbortSignal.abort(gone));
  await expect(waiting).rejects.toBe(gone);
  // Else the process would end with an unhandled rejection.
  expect(then).toHaveBeenCalledWith(undefined, expect.any(Function));
  failing.reject(new Error('too late'));
});
