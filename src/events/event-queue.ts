/**
 * What an endpoint has yet to be told of: lines of JSON in files that are only ever appended to
 * (segments), and a note of how far the endpoint has come (the cursor).
 *
 * A segment is named by its number. Each start begins a new one, so nothing is ever written behind
 * what a crash tore off; what is no whole line of JSON is skipped. The cursor may be behind, or
 * lost: then something is told twice, never not at all. Nothing of it is kept in memory.
 */
import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, syncDirectory, writeFileAtomic } from '../lib/atomic-file.ts';
import { Serial } from '../lib/serial.ts';
import { countLines, readLines } from './segment.ts';

export interface EventQueueOptions {
  readonly folder: string;
  /** For files on their way to their name; on the same file system. */
  readonly tmpDir: string;
  /** Bytes of all segments; the oldest segment goes first. */
  readonly limit: number;
  /** Settles when nobody else uses the folder any more. */
  readonly free?: Promise<void> | undefined;
  /** Told of events that were lost. */
  readonly onDropped: (count: number, reason: 'full' | 'damaged') => void;
}

/** Lines from the front of the queue; they stay there until {@link EventQueue.advance}. */
export interface QueuedBatch {
  readonly lines: readonly string[];
  readonly end: Position;
}

interface Position {
  readonly segment: number;
  readonly offset: number;
  /** Lines of the segment in front of it, whole or not. */
  readonly lines: number;
}

interface Segment {
  readonly number: number;
  readonly path: string;
  bytes: number;
  lines: number;
}

/** Segments of a full queue: as much of it goes at once. */
const shares = 8;
const largestSegment = 4 * 1024 * 1024;

export class EventQueue {
  #options: EventQueueOptions;
  readonly #serial = new Serial();
  readonly #segments: Segment[] = [];
  #front: Position = { segment: 0, offset: 0, lines: 0 };
  #next = 1;
  /** The last segment, where it is good to be written on. */
  #active: Segment | undefined;

  #isLoaded = false;

  /** The folder is looked into with the first call; each fails as the file system does for as long as that fails. */
  constructor(options: EventQueueOptions) {
    this.#options = options;
  }

  /** Events that wait, as far as it is known. */
  get length(): number {
    const lines = this.#segments.reduce((sum, segment) => sum + segment.lines, 0);
    return Math.max(0, lines - this.#front.lines);
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Holds it to another limit from the next event on. */
  set limit(limit: number) {
    this.#options = { ...this.#options, limit };
  }

  /**
   * Puts lines at the end; where there is no room, the oldest go.
   * @param durable whether to wait until the disk has them
   * @throws the file system's error; what was not queued by then is not
   */
  append(lines: readonly string[], durable: boolean): Promise<void> {
    return this.#exclusively(async () => {
      for (const part of partsOf(lines, this.#enough)) await this.#put(part, durable);
    });
  }

  /**
   * Reads from the front: up to so many lines of up to so many bytes, but one line at least.
   * Nothing where the queue is empty.
   */
  read(most: number, bytes: number): Promise<QueuedBatch | undefined> {
    return this.#exclusively(async () => {
      for (;;) {
        const segment = this.#segments.find(({ number }) => number >= this.#front.segment);
        if (segment === undefined) return undefined;
        const { number, path } = segment;
        const start = number === this.#front.segment ? this.#front : startOf(number);
        const found = await readLines(path, start.offset, segment.bytes, most, bytes).catch(
          (error: unknown) => {
            if (isMissing(error)) return undefined;
            throw error;
          },
        );
        if (found === undefined) {
          // Somebody has removed it.
          this.#options.onDropped(segment.lines - start.lines, 'damaged');
          await this.#leave(segment);
          continue;
        }
        if (found.skipped > 0) this.#options.onDropped(found.skipped, 'damaged');
        const lines = start.lines + found.lines.length + found.skipped;
        const end = { segment: number, offset: found.end, lines };
        if (found.lines.length > 0) return { lines: found.lines, end };
        this.#front = end;
        if (segment === this.#segments.at(-1)) return undefined;
        await this.#leave(segment);
      }
    });
  }

  /** Forgets what has been told, up to the end of a batch. */
  advance(end: Position): Promise<void> {
    return this.#exclusively(async () => {
      // Its segment may have gone meanwhile, for want of room.
      if (end.segment < this.#front.segment) return;
      this.#front = end;
      const { folder, tmpDir } = this.#options;
      await writeFileAtomic(join(folder, 'cursor'), JSON.stringify(end), {
        tmpDir,
        durable: false,
      });
      for (const segment of this.#segments.filter(({ number }) => number < end.segment)) {
        await this.#remove(segment);
      }
    });
  }

  /** Leaves nothing behind where nothing waits. */
  close(): Promise<void> {
    return this.#exclusively(async () => {
      if (this.length === 0) await rm(this.#options.folder, { recursive: true, force: true });
    });
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#serial.run(['queue'], async () => {
      if (!this.#isLoaded) await this.#load();
      return work();
    });
  }

  async #load(): Promise<void> {
    const { folder, free } = this.#options;
    await free;
    const names = await readdir(folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    const cursor = await readCursor(join(folder, 'cursor'));
    const numbers = names.filter((name) => /^\d{16}\.jsonl$/.test(name)).map(Number.parseFloat);
    const segments: Segment[] = [];
    for (const number of numbers.toSorted((a, b) => a - b)) {
      const path = this.#pathOf(number);
      const { size: bytes } = await stat(path);
      const segment = { number, path, bytes, lines: await countLines(path) };
      if (number < (cursor?.segment ?? 0)) await rm(path, { force: true });
      else segments.push(segment);
    }
    this.#segments.push(...segments);
    this.#isLoaded = true;
    this.#next = Math.max(cursor?.segment ?? 0, ...numbers, 0) + 1;
    const first = this.#segments[0];
    if (first === undefined) return;
    this.#front = cursor?.segment === first.number ? cursor : startOf(first.number);
  }

  #pathOf(number: number): string {
    return join(this.#options.folder, `${String(number).padStart(16, '0')}.jsonl`);
  }

  async #put(lines: readonly string[], durable: boolean): Promise<void> {
    const text = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    await this.#makeRoom(text.length);
    const segment = await this.#writable(durable);
    try {
      await using file = await open(segment.path, 'a');
      await file.appendFile(text);
      if (durable) await file.datasync();
    } catch (error) {
      // What it holds beyond the bytes that count may be a torn line.
      this.#active = undefined;
      if (segment.bytes === 0) await this.#remove(segment);
      throw error;
    }
    segment.bytes += text.length;
    segment.lines += lines.length;
  }

  /** Bytes of a segment that is large enough. */
  get #enough(): number {
    return Math.min(largestSegment, this.#options.limit / shares);
  }

  /** The segment that takes what comes now; a new one where there is none, or it is large enough. */
  async #writable(durable: boolean): Promise<Segment> {
    if (this.#active !== undefined && this.#active.bytes < this.#enough) return this.#active;
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true });
    const number = this.#next++;
    const segment = { number, path: this.#pathOf(number), bytes: 0, lines: 0 };
    await writeFile(segment.path, '', { flag: 'wx' });
    if (durable) await syncDirectory(folder);
    this.#segments.push(segment);
    this.#active = segment;
    return segment;
  }

  async #makeRoom(bytes: number): Promise<void> {
    while (this.bytes + bytes > this.#options.limit) {
      const [oldest] = this.#segments;
      if (oldest === undefined) return;
      const isFront = oldest.number === this.#front.segment;
      const lost = oldest.lines - (isFront ? this.#front.lines : 0);
      await this.#leave(oldest);
      if (lost > 0) this.#options.onDropped(lost, 'full');
    }
  }

  /** Goes on with what follows a segment, and removes it. */
  async #leave(segment: Segment): Promise<void> {
    this.#front = startOf(segment.number + 1);
    await this.#remove(segment);
  }

  async #remove(segment: Segment): Promise<void> {
    await rm(segment.path, { force: true });
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    if (segment === this.#active) this.#active = undefined;
  }
}

/** The lines in groups of so many bytes, or one line more. */
function* partsOf(lines: readonly string[], bytes: number): Generator<string[]> {
  let part: string[] = [];
  let size = 0;
  for (const line of lines) {
    part.push(line);
    size += line.length;
    if (size < bytes) continue;
    yield part;
    part = [];
    size = 0;
  }
  if (part.length > 0) yield part;
}

function startOf(segment: number): Position {
  return { segment, offset: 0, lines: 0 };
}

/** Where the last process was; undefined where that cannot be told. */
async function readCursor(path: string): Promise<Position | undefined> {
  try {
    const { segment, offset, lines } = JSON.parse(await readFile(path, 'utf8')) as Position;
    return [segment, offset, lines].every((each) => Number.isSafeInteger(each) && each >= 0)
      ? { segment, offset, lines }
      : undefined;
  } catch {
    return undefined;
  }
}
