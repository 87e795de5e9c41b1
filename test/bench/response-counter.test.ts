import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ResponseCounter } from '../../bench/response-counter.ts';

interface Seen {
  status: number;
  body: string;
  complete: boolean;
}

function follow(pieces: readonly Buffer[]): Seen[] {
  const seen: Seen[] = [];
  const counter = new ResponseCounter({
    head: (status) => seen.push({ status, body: '', complete: false }),
    body: (buffer, start, end) => {
      seen.at(-1)!.body += buffer.toString('latin1', start, end);
    },
    end: () => {
      seen.at(-1)!.complete = true;
    },
  });
  // One buffer for all reads, with what earlier ones left in it, as on a socket.
  const shared = Buffer.alloc(65_536, '\r\n\r\nContent-Length: 7\r\n');
  for (const piece of pieces) counter.feed(shared, piece.copy(shared));
  return seen;
}

const responseOf = (body: string): string =>
  `HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('ResponseCounter', () => {
  it('follows responses wherever the reads are cut', () => {
    const bodies = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 40 }), { maxLength: 5 });
    fc.assert(
      fc.property(bodies, fc.array(fc.nat(600)), (texts, cuts) => {
        const wire = Buffer.from(texts.map(responseOf).join(''), 'latin1');
        const ends = [...cuts.toSorted((a, b) => a - b), wire.length];
        const pieces = ends.map((end, index) => wire.subarray(ends[index - 1] ?? 0, end));
        expect(follow(pieces)).toEqual(
          texts.map((body) => ({ status: 200, body, complete: true })),
        );
      }),
    );
  });

  it('tells a response that is not over', () => {
    const wire = Buffer.from(responseOf('abcdef').slice(0, -1));
    expect(follow([wire])).toEqual([{ status: 200, body: 'abcde', complete: false }]);
  });

  it('refuses a response without a length, and an endless head', () => {
    const refused = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(() => follow([Buffer.from(refused)])).toThrow('Content-Length');
    const endless = Array.from({ length: 8 }, () => Buffer.alloc(10_000, 'a'));
    expect(() => follow(endless)).toThrow('64 KiB');
  });
});
