import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { ByteRange } from '../oci/byte-range.ts';
import type { Segment } from './send-content.ts';

/** Several ranges as `multipart/byteranges` (RFC 9110, section 14.6), with its exact length. */
export function multipart(
  ranges: readonly ByteRange[],
  size: number,
  headers: OutgoingHttpHeaders,
): { headers: OutgoingHttpHeaders; segments: Segment[] } {
  const boundary = randomBytes(16).toString('hex');
  const segments: Segment[] = [];
  let length = 0;
  const text = (part: string): void => {
    const bytes = Buffer.from(part, 'latin1');
    segments.push(bytes);
    length += bytes.length;
  };
  for (const { start, end } of ranges) {
    text(
      `\r\n--${boundary}\r\nContent-Type: ${String(headers['Content-Type'])}\r\n` +
        `Content-Range: bytes ${start}-${end}/${size}\r\n\r\n`,
    );
    segments.push({ start, end: end + 1 });
    length += end - start + 1;
  }
  text(`\r\n--${boundary}--\r\n`);
  return {
    headers: {
      ...headers,
      'Content-Type': `multipart/byteranges; boundary=${boundary}`,
      'Content-Length': length,
    },
    segments,
  };
}
