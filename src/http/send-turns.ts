/*
 * Fair turns at sending. The kernel takes megabytes for each new connection at once: a crowd that
 * comes all together would keep everybody else waiting for seconds while it is copied. So what all
 * bodies together write in one turn of the event loop is bounded, and who finds it used up stands
 * in a row for the next one. Between two turns new requests are read, and small answers leave.
 */

/**
 * Bytes that all bodies together write in one turn of the event loop: a few milliseconds of copying, and a
 * large piece for each of 32 clients that keep up.
 */
const budget = 16 * 1024 * 1024;

/** So many in the row are a crowd: shorter turns then, for among them are others, with little to ask. */
const crowd = 64;
const crowdedBudget = 1024 * 1024;

/** What it takes to begin with a body, in bytes that could be copied in that time. */
const beginning = 256 * 1024;

/**
 * Turns in a row that new connections may keep everybody in the row waiting. In each turn of the
 * event loop one connection is accepted: what else is done in it, those behind a crowd wait for.
 */
const mostHeld = 64;

let left = budget;
let held = 0;
let hasArrivals = false;
let isScheduled = false;
let row: (() => void)[] = [];

/** Lets a body begin in its turn: before it, nothing at all is to be done for it. */
export function beginInTurn(begin: () => void): void {
  inTurn(() => {
    noteSent(beginning);
    begin();
  });
}

/** Goes on at once where this turn of the event loop has room, else when it is this one's turn. */
export function inTurn(goOn: () => void): void {
  if (hasRoom()) {
    goOn();
    return;
  }
  row.push(goOn);
  schedule();
}

/** Notes that somebody has connected: others may stand behind. */
export function noteArrival(): void {
  hasArrivals = true;
}

/** Whether this turn of the event loop has room for more. */
export function hasRoom(): boolean {
  return left > 0 && row.length === 0;
}

/** Notes bytes that are being written. */
export function noteSent(bytes: number): void {
  left -= bytes;
  schedule();
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  // What is set in such a callback comes in the next turn, when the network was looked at.
  setImmediate(nextTurn);
}

function nextTurn(): void {
  isScheduled = false;
  if (hasArrivals && row.length > 0 && held < mostHeld) {
    held++;
    hasArrivals = false;
    schedule();
    return;
  }
  held = 0;
  hasArrivals = false;
  left = row.length > crowd ? crowdedBudget : budget;
  const waiting = row;
  row = [];
  let gone = 0;
  try {
    for (const goOn of waiting) {
      if (left <= 0) break;
      gone++;
      goOn();
    }
  } finally {
    // Should one of them throw, it costs nobody else the turn.
    if (gone < waiting.length) row = [...waiting.slice(gone), ...row];
    if (row.length > 0) schedule();
  }
}
