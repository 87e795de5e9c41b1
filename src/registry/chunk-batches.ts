import type { Readable } from 'node:stream';

/** Bytes that may gather while the last batch is being dealt with; beyond them the body is paused. */
const maxGathered = 512 * 1024;

/**
 * Gives the chunks of a body in batches: each time all that have gathered, as they are. Batches grow
 * with the load, and nothing is copied together, as the stream's own iterator would.
 *
 * Fails with what the body fails with. The body is destroyed when the consumer stops early.
 */
export async function* chunkBatches(body: Readable): AsyncGenerator<readonly Buffer[]> {
  let gathered: Buffer[] = [];
  let bytes = 0;
  // Before anybody listened it may have broken already; no event tells of that any more.
  let isOver = body.destroyed;
  let failure: unknown = body.errored ?? undefined;
  let wake: () => void = nothing;
  body.on('data', (chunk: Buffer) => {
    gathered.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxGathered) body.pause();
    wake();
  });
  body.once('error', (error) => {
    failure = error;
    wake();
  });
  // After an error as well as after the end; without either, the body was destroyed.
  body.once('close', () => {
    isOver = true;
    wake();
  });
  body.once('end', () => {
    isOver = true;
    wake();
  });
  try {
    for (;;) {
      if (gathered.length > 0) {
        const batch = gathered;
        gathered = [];
        bytes = 0;
        body.resume();
        yield batch;
      } else if (failure !== undefined) {
        throw failure;
      } else if (isOver) {
        return;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    body.destroy();
  }
}

function nothing(): void {
  // Nobody waits.
}

/** Bytes of all chunks together. */
export function lengthOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

/** The chunks without their first `count` bytes. */
export function withoutFirst(chunks: readonly Buffer[], count: number): Buffer[] {
  let left = count;
  return chunks.flatMap((chunk) => {
    const rest = chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
    return rest.length > 0 ? [rest] : [];
  });
}
