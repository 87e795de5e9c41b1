import type { ServerResponse } from 'node:http';

/*
 * Small answers leave together. A write to a client that sleeps wakes it up, which costs the
 * server more than the answer itself; a client that is awake costs nothing more. So the answers of
 * one turn of the event loop are written in a row at its end, when all its requests were read.
 */

/** Answers that are gathered at most: enough to share the cost, few enough to die young. */
const most = 16;

interface Ending {
  readonly response: ServerResponse;
  readonly body: Buffer | undefined;
}

let gathered: Ending[] = [];
let isScheduled = false;

/** Ends a response whose head is written, with all of its body, within this turn of the event loop. */
export function endTogether(response: ServerResponse, body?: Buffer): void {
  gathered.push({ response, body });
  if (gathered.length >= most) {
    endGathered();
  } else if (!isScheduled) {
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      endGathered();
    });
  }
}

function endGathered(): void {
  const endings = gathered;
  gathered = [];
  for (const { response, body } of endings) response.end(body);
}
