/** What a connection tells of the responses that pass through it. */
export interface ResponseListener {
  head(status: number): void;
  /** Body bytes `start`–`end` of the buffer that was fed; good only during the call. */
  body(buffer: Buffer, start: number, end: number): void;
  /** The whole response is in. */
  end(): void;
}

/**
 * Follows the HTTP/1.1 responses of one connection without keeping their bytes: it reads heads
 * and counts bodies, so that a load generator costs little more than the reads themselves.
 * Only responses with a Content-Length are understood; others throw.
 */
export class ResponseCounter {
  readonly #listener: ResponseListener;
  #head = '';
  #remaining = -1;

  constructor(listener: ResponseListener) {
    this.#listener = listener;
  }

  feed(buffer: Buffer, length: number): void {
    let position = 0;
    while (position < length) {
      if (this.#remaining < 0) {
        position = this.#readHead(buffer, position, length);
        if (this.#remaining !== 0) continue;
      }
      const end = Math.min(length, position + this.#remaining);
      if (end > position) this.#listener.body(buffer, position, end);
      this.#remaining -= end - position;
      position = end;
      if (this.#remaining === 0) {
        this.#remaining = -1;
        this.#listener.end();
      }
    }
  }

  #readHead(buffer: Buffer, start: number, length: number): number {
    const before = this.#head.length;
    const text = this.#head + buffer.toString('latin1', start, Math.min(length, start + 16_384));
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) {
      if (text.length > 65_536) throw new Error('a response head of more than 64 KiB');
      this.#head = text;
      return Math.min(length, start + 16_384);
    }
    const size = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1];
    if (size === undefined) throw new Error('a response without Content-Length');
    this.#head = '';
    this.#remaining = Number(size);
    this.#listener.head(Number(text.slice(9, 12)));
    return start + end + 4 - before;
  }
}
