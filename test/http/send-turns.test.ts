import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { beginInTurn, hasRoom, inTurn, noteArrival, noteSent } from '../../src/http/send-turns.ts';

const MiB = 1024 * 1024;

/** Bytes that are more than one turn has room for. */
const tooMuch = 1024 * MiB;

/** The room of a turn is the process's own: each test begins with a fresh one. */
beforeEach(async () => {
  await nextTurn();
  await nextTurn();
});

describe('turns at sending', () => {
  it('goes on at once while there is room', () => {
    const went: string[] = [];
    inTurn(() => went.push('first'));
    noteSent(MiB);
    inTurn(() => went.push('second'));
    beginInTurn(() => went.push('third'));
    expect(went).toEqual(['first', 'second', 'third']);
  });

  it('lets nobody go on in a turn that is used up, and everybody in the next', async () => {
    noteSent(tooMuch);
    let went = false;
    inTurn(() => {
      went = true;
    });
    await Promise.resolve();
    expect(went).toBe(false);
    await nextTurn();
    expect(went).toBe(true);
  });

  it('spreads a crowd over many turns, in the order of coming, with others in between', async () => {
    noteSent(tooMuch);
    const order: number[] = [];
    const turns: number[] = [];
    let turn = 0;
    for (let client = 0; client < 40; client++) {
      inTurn(() => {
        order.push(client);
        turns.push(turn);
        noteSent(MiB);
      });
    }
    while (order.length < 40) {
      await nextTurn();
      turn++;
    }
    expect(order).toEqual(Array.from({ length: 40 }, (_, client) => client));
    const most = Math.max(...turns.map((one) => turns.filter((other) => other === one).length));
    expect(most).toBeLessThanOrEqual(16);
  });

  it('has no room for those at work while others stand in the row', async () => {
    expect(hasRoom()).toBe(true);
    noteSent(tooMuch);
    expect(hasRoom()).toBe(false);
    let went = false;
    inTurn(() => {
      went = hasRoom();
    });
    await nextTurn();
    expect(went).toBe(true);
    expect(hasRoom()).toBe(true);
  });

  it('keeps the row waiting while others connect, but not for ever', async () => {
    noteSent(tooMuch);
    const went: string[] = [];
    inTurn(() => went.push('at last'));
    let turns = 0;
    while (went.length === 0) {
      noteArrival();
      await nextTurn();
      turns++;
    }
    expect(turns).toBeGreaterThan(1);
    expect(turns).toBeLessThan(100);
  });

  it('makes the turns of a crowd shorter', async () => {
    noteSent(tooMuch);
    const turns: number[] = [];
    let turn = 0;
    for (let client = 0; client < 70; client++) {
      inTurn(() => {
        turns.push(turn);
        noteSent(MiB);
      });
    }
    while (turns.length < 70) {
      await nextTurn();
      turn++;
    }
    const inTheSame = turns.map((one) => turns.filter((other) => other === one).length);
    expect([inTheSame[0], Math.max(...inTheSame)]).toEqual([1, 16]);
  });

  it('puts who comes again behind those that still wait', async () => {
    noteSent(tooMuch);
    const order: string[] = [];
    inTurn(() => {
      order.push('a');
      noteSent(tooMuch);
      inTurn(() => order.push('a again'));
    });
    inTurn(() => order.push('b'));
    while (order.length < 3) await nextTurn();
    expect(order).toEqual(['a', 'b', 'a again']);
  });

  it('lets only so many bodies begin in one turn', async () => {
    const begun: number[] = [];
    for (let client = 0; client < 100; client++) beginInTurn(() => begun.push(client));
    expect(begun.length).toBeLessThanOrEqual(64);
    expect(begun.length).toBeGreaterThan(0);
    while (begun.length < 100) await nextTurn();
  });
});
