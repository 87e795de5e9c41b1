import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import rangeParser from 'range-parser';
import type { Content } from '../images.ts';
import type { Fault } from './fault.ts';
import type { SeenRequest } from './loopback-server.ts';

/** How a server sends content when nothing is wrong. */
export interface SendOptions {
  /** Whether ETag is sent and If-Range is honoured. */
  readonly etag: boolean;
  /** Bytes a second. */
  readonly rate?: number | undefined;
}

/** Answers GET or HEAD of some content, whole or in part, and with whatever fault there is. */
export async function sendContent(
  seen: SeenRequest,
  answer: ServerResponse,
  { digest, mediaType, bytes }: Content,
  fault: Fault,
  options: SendOptions,
): Promise<void> {
  const etag = `"${digest}"`;
  const part = fault.ignoreRange === true ? undefined : wantedPart(seen, bytes.length, etag);
  if (part === 'unsatisfiable') {
    answer.writeHead(416, { 'content-range': `bytes */${String(bytes.length)}` }).end();
    return;
  }
  const { start, end } = part ?? { start: 0, end: bytes.length - 1 };
  const body = Buffer.from(bytes.subarray(start, end + 1));
  if (fault.flipBitAt !== undefined) {
    body[fault.flipBitAt] = (body[fault.flipBitAt] ?? 0) ^ 1;
  }
  answer.writeHead(part === undefined ? 200 : 206, {
    'content-type': mediaType,
    ...(fault.chunked !== true && { 'content-length': fault.declaredLength ?? body.length }),
    ...(fault.omitDigest !== true && { 'docker-content-digest': digest }),
    ...(options.etag && { etag }),
    ...(fault.ignoreRange !== true && { 'accept-ranges': 'bytes' }),
    ...(part !== undefined && {
      'content-range': `bytes ${String(start)}-${String(end)}/${String(bytes.length)}`,
    }),
  });
  if (seen.method === 'HEAD') {
    answer.end();
    return;
  }
  await sendBody(seen, answer, body, fault, fault.rate ?? options.rate);
}

function wantedPart(
  { headers }: SeenRequest,
  size: number,
  etag: string,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  if (headers.range === undefined) return undefined;
  const condition = headers['if-range'];
  if (condition !== undefined && condition !== etag) return undefined;
  const ranges = rangeParser(size, headers.range);
  if (ranges === -1) return 'unsatisfiable';
  return ranges === -2 ? undefined : ranges[0];
}

async function sendBody(
  seen: SeenRequest,
  answer: ServerResponse,
  body: Buffer,
  fault: Fault,
  rate: number | undefined,
): Promise<void> {
  answer.flushHeaders();
  const end = Math.min(body.length, fault.truncateAt ?? Infinity);
  const hold = fault.holdAt;
  if (hold !== undefined && hold.bytes < end) {
    await write(seen, answer, body.subarray(0, hold.bytes), rate);
    await Promise.race([hold.until ?? new Promise(() => undefined), once(answer, 'close')]);
    await write(seen, answer, body.subarray(hold.bytes, end), rate);
  } else {
    await write(seen, answer, body.subarray(0, end), rate);
  }
  const broken = end < body.length || (fault.declaredLength ?? 0) > body.length;
  if (broken) answer.destroy();
  else answer.end();
}

/** Writes at the pace of the reader, or at `rate` bytes a second where that is slower. */
async function write(
  seen: SeenRequest,
  answer: ServerResponse,
  bytes: Buffer,
  rate: number | undefined,
): Promise<void> {
  const step = rate === undefined ? 256 * 1024 : Math.max(1, Math.min(64 * 1024, rate / 20));
  const began = performance.now();
  for (let at = 0; at < bytes.length && !answer.destroyed;) {
    const chunk = bytes.subarray(at, at + step);
    // One chunk after the other: that is the pace.
    await new Promise<void>((resolve) => {
      answer.once('close', resolve);
      answer.write(chunk, () => {
        answer.off('close', resolve);
        resolve();
      });
    });
    at += chunk.length;
    seen.sent += chunk.length;
    const early = rate === undefined ? 0 : began + (at / rate) * 1000 - performance.now();
    if (early > 1) await sleep(early);
  }
}
