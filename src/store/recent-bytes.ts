/** The newest bytes of something that grows, in memory: a window that moves on as it is told to. */
export class RecentBytes {
  #chunks: { readonly start: number; readonly bytes: Buffer }[] = [];
  #start: number;
  #end: number;

  /** @param start position of the first byte that will come */
  constructor(start: number) {
    this.#start = start;
    this.#end = start;
  }

  /** Position of the first byte that is still there. */
  get start(): number {
    return this.#start;
  }

  /** Bytes in memory. */
  get size(): number {
    return this.#end - this.#start;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.push({ start: this.#end, bytes });
    this.#end += bytes.length;
  }

  /** Copies what is there at `position` into the front of `buffer`; gives how many bytes, 0 where there are none. */
  read(buffer: Buffer, length: number, position: number): number {
    let copied = 0;
    for (let index = this.#indexOf(position); index < this.#chunks.length; index++) {
      const { start, bytes } = this.#chunks[index]!;
      const from = position + copied - start;
      copied += bytes.copy(buffer, copied, from, from + length - copied);
      if (copied === length) break;
    }
    return copied;
  }

  /** Lets go of what lies wholly before `position`. */
  forget(position: number): void {
    const kept = this.#chunks.findIndex(({ start, bytes }) => start + bytes.length > position);
    this.#chunks = kept < 0 ? [] : this.#chunks.slice(kept);
    this.#start = this.#chunks[0]?.start ?? this.#end;
  }

  /** The chunk that holds a position; behind the last where none does. */
  #indexOf(position: number): number {
    if (position < this.#start || position >= this.#end) return this.#chunks.length;
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#chunks[middle]!.start <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
