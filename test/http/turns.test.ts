import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { awaitTurn, isTurnOver, noteWritten } from '../../src/http/turns.ts';

const MiB = 1024 * 1024;

it('a turn is over when its bytes are spent, and the next one begins anew', async () => {
  expect(isTurnOver()).toBe(false);
  noteWritten(31 * MiB);
  expect(isTurnOver()).toBe(false);
  noteWritten(MiB);
  expect(isTurnOver()).toBe(true);
  await nextTurn();
  expect(isTurnOver()).toBe(false);
});

it('those who wait go on in their order, as many in a turn as its bytes are enough for', async () => {
  const order: number[] = [];
  for (let index = 0; index < 5; index++) {
    awaitTurn(() => {
      order.push(index);
      noteWritten(16 * MiB);
    });
  }
  expect(order).toEqual([]);
  await nextTurn();
  expect(order).toEqual([0, 1]);
  await nextTurn();
  expect(order).toEqual([0, 1, 2, 3]);
  await nextTurn();
  expect(order).toEqual([0, 1, 2, 3, 4]);
});

it('whoever waits again has its turn after all others, and in a later one', async () => {
  const order: string[] = [];
  awaitTurn(() => {
    order.push('a');
    awaitTurn(() => order.push('a again'));
  });
  awaitTurn(() => order.push('b'));
  await nextTurn();
  expect(order).toEqual(['a', 'b']);
  await nextTurn();
  expect(order).toEqual(['a', 'b', 'a again']);
});

it('thousands in line all have their turn', async () => {
  let turns = 0;
  for (let index = 0; index < 5_000; index++) {
    awaitTurn(() => {
      turns++;
      noteWritten(MiB);
    });
  }
  // 32 in each turn.
  for (let rounds = 0; rounds < 157; rounds++) await nextTurn();
  expect(turns).toBe(5_000);
});
