import { request, type IncomingMessage } from 'node:http';
import { blockOf, BLOCK_SIZE } from './content.ts';
import { now, type Job, type PushResult } from './messages.ts';

/** Pushes one blob as docker does: a session, one stream, and the digest at the end. */
export async function runPush(job: Job & { kind: 'push' }): Promise<PushResult> {
  const block = blockOf(job.seed);
  const started = now();
  const begun = await send(job.port, 'POST', job.path, 202);
  const streamed = await send(job.port, 'PATCH', placeOf(begun), 202, block, job.size);
  const received = now();
  const place = placeOf(streamed);
  const query = `${place.includes('?') ? '&' : '?'}digest=${job.digest}`;
  await send(job.port, 'PUT', place + query, 201);
  const ended = now();
  return { seconds: (ended - started) / 1000, closingSeconds: (ended - received) / 1000 };
}

/** Sends a request whose body is one block again and again, and gives its answer, which has to have this status. */
async function send(
  port: number,
  method: string,
  path: string,
  status: number,
  block?: Buffer,
  size = 0,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request({ host: '127.0.0.1', port, method, path, agent: false });
  outgoing.setHeader('Content-Length', size);
  outgoing.once('error', reject);
  outgoing.once('response', (answer) => {
    if (answer.statusCode !== status) {
      reject(new Error(`${method} ${path}: status ${answer.statusCode}`));
    }
    answer.resume().once('end', () => resolve(answer));
  });
  let sent = 0;
  const write = (): void => {
    if (block === undefined) {
      outgoing.end();
      return;
    }
    while (sent < size) {
      const length = Math.min(BLOCK_SIZE, size - sent);
      sent += length;
      if (!outgoing.write(block.subarray(0, length))) {
        outgoing.once('drain', write);
        return;
      }
    }
    outgoing.end();
  };
  write();
  return promise;
}

/** The path of a Location, which may be absolute. */
function placeOf({ headers: { location = '' } }: IncomingMessage): string {
  const { pathname, search } = new URL(location, 'http://127.0.0.1');
  return pathname + search;
}
