/*
 * Responses take turns. What the kernel takes at once is followed by more at once; with two
 * thousand clients that all begin to read, one round of a megabyte each would keep everybody else
 * waiting for a second. So there is one budget for all of them in each turn of the event loop, and
 * who finds it spent waits in line for a later one.
 */

/**
 * Bytes that all responses together write in one turn: some ten milliseconds' worth, and more than
 * 32 swift ones make of a turn of theirs.
 */
const budget = 32 * 1024 * 1024;

let spent = 0;
let isScheduled = false;
/** In the order in which they came; those before `next` have had their turn. */
let waiting: (() => void)[] = [];
let next = 0;

/** Notes bytes that were handed to the kernel in this turn. */
export function noteWritten(bytes: number): void {
  spent += bytes;
  schedule();
}

/** Whether this turn's bytes are spent. */
export function isTurnOver(): boolean {
  return spent >= budget;
}

/** Calls back in a later turn of the event loop, after those that waited before. */
export function awaitTurn(resume: () => void): void {
  waiting.push(resume);
  schedule();
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(begin);
}

function begin(): void {
  isScheduled = false;
  spent = 0;
  // Those that come while these have their turn are for the next one.
  const last = waiting.length;
  while (next < last && !isTurnOver()) {
    const resume = waiting[next];
    next++;
    resume?.();
  }
  if (next === waiting.length) {
    waiting = [];
    next = 0;
  } else {
    if (next > 1_000) {
      waiting = waiting.slice(next);
      next = 0;
    }
    schedule();
  }
}
