import type { FileId } from '../../src/store/file-id.ts';
import type { BlobReader, Pace, Piece, PieceCallback } from '../../src/store/blob-reader.ts';

/** A blob that is there, or arrives, or fails, as the test has it; and keeps account of its memory. */
export class FakeReader implements BlobReader {
  readonly content: Buffer;
  /** Set where it stands for a committed blob's. */
  fileId: FileId | undefined;
  /** Whether pieces are in memory, so that they are given at once. */
  inMemory = false;
  /** Awaited by every read. */
  gate: Promise<void> | undefined;
  /** What every read fails with while it is set. */
  readFailure: Error | undefined;
  /** Bytes that a piece has at most. */
  pieceSize = 64 * 1024;
  /** The pace that was told with each piece asked for, and how many pieces were out at that moment. */
  readonly asked: { readonly pace: Pace; readonly held: number }[] = [];
  /** Pieces that were given out and not given back. */
  held = 0;
  /** How often it was closed. */
  closed = 0;
  /** Whether a read is under way. */
  isReading = false;
  /** What was done against the rules of a reader. */
  readonly faults: string[] = [];
  #arrived: number;
  #failure: Error | undefined;
  #waiting: (() => void)[] = [];

  /** @param arrived bytes that are there from the beginning */
  constructor(content: Buffer, arrived = content.length) {
    this.content = content;
    this.#arrived = arrived;
  }

  get size(): number {
    return this.content.length;
  }

  /** Whether somebody waits for more to arrive. */
  get isWaitedFor(): boolean {
    return this.#waiting.length > 0;
  }

  /** All that is before `offset` is there now. */
  arrive(offset: number): void {
    this.#arrived = offset;
    this.#wake();
  }

  /** What has not arrived never will. */
  fail(failure: Error): void {
    this.#failure = failure;
    this.#wake();
  }

  available(position: number): number {
    return Math.max(0, this.#arrived - position);
  }

  async arrival(position: number): Promise<number> {
    while (position >= this.#arrived) {
      if (this.#failure !== undefined) throw this.#failure;
      if (position >= this.content.length) return 0;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#arrived - position;
  }

  next(position: number, max: number, pace: Pace, done: PieceCallback): Piece | undefined {
    this.asked.push({ pace, held: this.held });
    if (this.closed > 0) this.faults.push('asked after it was closed');
    if (this.isReading) this.faults.push('asked while a read was under way');
    if (max < 1 || position + max > this.#arrived) this.faults.push('asked for what is not there');
    const end = position + Math.min(max, this.pieceSize);
    if (this.inMemory) return this.#piece(position, end);
    this.isReading = true;
    void this.#read(position, end, done);
    return undefined;
  }

  close(): void {
    if (this.isReading) this.faults.push('closed while a read was under way');
    this.closed++;
  }

  async #read(position: number, end: number, done: PieceCallback): Promise<void> {
    await new Promise(setImmediate);
    await this.gate;
    this.isReading = false;
    if (this.readFailure === undefined) done(null, this.#piece(position, end));
    else done(this.readFailure, undefined);
  }

  #piece(start: number, end: number): Piece {
    this.held++;
    // A copy that is spoilt when it is given back: whoever still sends it sends something wrong.
    const bytes = Buffer.from(this.content.subarray(start, end));
    let isOut = true;
    return {
      bytes,
      release: () => {
        if (!isOut) this.faults.push('a piece was released twice');
        isOut = false;
        this.held--;
        bytes.fill(0);
      },
    };
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
