import type { Keyv } from 'keyv';
import { SingleFlight } from '../lib/single-flight.ts';
import type { CatalogObserver } from './catalog-observer.ts';
import { later, parseKnown, type Known, type Parse } from './known.ts';
import { usualWeight, type Remembered } from './memory.ts';
import { Serial } from '../lib/serial.ts';
import type { SharedCache } from './shared-cache.ts';

/** One thing that can be known: where it is kept, and for how long. */
export interface Subject<V> {
  readonly key: string;
  readonly parse: Parse<V>;
  keep(known: Known<V>): Keeping;
  /** From the record; left out for what is never on disk. */
  load?(): Promise<Known<V> | undefined>;
  /** Brings the record up to what another replica knew. */
  save?(known: Known<V>): Promise<unknown>;
}

/** How something is kept outside the record. */
export interface Keeping {
  /** How long in this process's memory, in milliseconds. */
  readonly memory: number;
  /** How long in the shared cache, in milliseconds; 0: not at all. */
  readonly shared: number;
  /** Bytes in memory, where that is more than usual. */
  readonly weight?: number;
}

export interface KnowledgeOptions {
  readonly memory: Keyv<Remembered>;
  readonly shared?: SharedCache | undefined;
  readonly observer: CatalogObserver;
}

/**
 * "Nothing is known" is not remembered for long, in milliseconds: another program may have just
 * written it to the record.
 */
const ignoranceLifetime = 1_000;

/**
 * Keeps memory, record and shared cache in step. Reads take the memory's word while it is fresh;
 * else what this process knows is compared with what the shared cache holds, the later one wins
 * (known.ts), and the other is mended. None of it fails for want of the shared cache.
 */
export class Knowledge {
  readonly #memory: Keyv<Remembered>;
  readonly #shared: SharedCache | undefined;
  readonly #observer: CatalogObserver;
  readonly #learning = new SingleFlight<unknown>();
  readonly #serial = new Serial();
  readonly #background = new Set<Promise<void>>();

  constructor({ memory, shared, observer }: KnowledgeOptions) {
    this.#memory = memory;
    this.#shared = shared;
    this.#observer = observer;
  }

  /** Whether there is anyone to share with. */
  get isShared(): boolean {
    return this.#shared !== undefined;
  }

  /** Whether the shared cache is in use; true where there is none to be used. */
  get up(): boolean {
    return this.#shared?.up ?? true;
  }

  /**
   * The memory's word, where it is to be taken.
   * @param freshness how old it may be where it could be compared, in milliseconds
   */
  async recall<V>(key: string, freshness: number): Promise<Remembered<V> | undefined> {
    const known = (await this.#memory.get(key)) as Remembered<V> | undefined;
    if (known === undefined || this.#shared === undefined || !this.#shared.up) return known;
    return Date.now() - known.seen < freshness ? known : undefined;
  }

  /** What record and shared cache say; concurrent callers share one look. */
  learn<V>(subject: Subject<V>): Promise<V | undefined> {
    const { key } = subject;
    const look = (): Promise<unknown> => this.serially([key], () => this.#compare(subject));
    return this.#learning.run(key, look) as Promise<V | undefined>;
  }

  /**
   * Passes on what was just written to the record; to be called serially.
   * @returns whether the shared cache has it for sure
   */
  async tell<V>(subject: Subject<V>, known: Known<V>): Promise<boolean> {
    const keeping = subject.keep(known);
    await this.#remember(subject.key, known, keeping);
    return this.#share(subject.key, known, keeping);
  }

  /** Lets go of what is in memory: the record is asked next. To be called serially. */
  async forget(key: string): Promise<void> {
    await this.#memory.delete(key);
  }

  /**
   * Puts what is on record into the shared cache where that has nothing, or something older. The
   * memory has no part in it.
   * @returns whether it was put there; undefined where there is nothing, or nobody to tell
   */
  async offer<V>(subject: Subject<V>): Promise<boolean | undefined> {
    return this.serially([subject.key], async () => {
      const mine = await subject.load?.();
      if (mine === undefined || !this.#isUp) return undefined;
      const other = await this.#hear(subject);
      if (other !== undefined && other.at >= mine.at) return false;
      return (await this.#share(subject.key, mine, subject.keep(mine))) ? true : undefined;
    });
  }

  /** Runs work on these keys when nothing else is writing or learning them. */
  serially<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    return this.#serial.run(keys, work);
  }

  /** Waits for the record to be brought up to what was learnt, and asks nobody any more. */
  async close(): Promise<void> {
    this.#shared?.close();
    await Promise.all(this.#background);
  }

  get #isUp(): boolean {
    return this.#shared?.up === true;
  }

  async #compare<V>(subject: Subject<V>): Promise<V | undefined> {
    const { key } = subject;
    const remembered = (await this.#memory.get(key)) as Remembered<V> | undefined;
    const mine = remembered ?? (await subject.load?.());
    const other = await this.#hear(subject);
    const best = later(mine, other);
    if (best === undefined) {
      const nothing = { at: 0, value: undefined };
      await this.#remember(key, nothing, { memory: ignoranceLifetime, shared: 0 });
      return undefined;
    }
    const keeping = subject.keep(best);
    // A comparison does not prolong the memory: the record has to be read again at some time.
    const memory = best === remembered ? remembered.until - Date.now() : keeping.memory;
    await this.#remember(key, best, { ...keeping, memory });
    if (best === other) {
      // Another replica linking the same thing later is no news.
      if (!hasSameValue(mine, other)) this.#save(subject, other);
    } else if (best.at > (other?.at ?? 0)) {
      await this.#share(key, best, keeping);
    }
    return best.value;
  }

  async #hear<V>({ key, parse }: Subject<V>): Promise<Known<V> | undefined> {
    const raw = await this.#shared?.get(key);
    if (raw === undefined) return undefined;
    const known = parseKnown(raw, parse, Date.now());
    if (known === undefined) {
      const error = new Error(`${key} is malformed, or from the future`);
      this.#observer.error({ operation: 'shared.decode', error });
    }
    return known;
  }

  async #remember<V>(key: string, { at, value }: Known<V>, keeping: Keeping): Promise<void> {
    if (keeping.memory <= 0) {
      await this.#memory.delete(key);
      return;
    }
    const seen = Date.now();
    const { memory, weight = usualWeight } = keeping;
    await this.#memory.set(key, { at, value, seen, until: seen + memory, weight }, memory);
  }

  async #share<V>(key: string, { at, value }: Known<V>, { shared }: Keeping): Promise<boolean> {
    if (this.#shared === undefined || shared <= 0) return false;
    return this.#shared.set(key, { at, value }, shared);
  }

  /** Behind the reader's back: syncing a disk takes longer than anyone should wait for a read. */
  #save<V>(subject: Subject<V>, known: Known<V>): void {
    const saving = this.serially([subject.key], async () => {
      const current = await this.#memory.get(subject.key);
      const isOutdated = current !== undefined && current.at > known.at;
      if (!isOutdated) await subject.save?.(known);
    })
      .catch((error: unknown) => this.#observer.error({ operation: 'record.write', error }))
      .finally(() => this.#background.delete(saving));
    this.#background.add(saving);
  }
}

function hasSameValue<V>(mine: Known<V> | undefined, other: Known<V>): boolean {
  return mine !== undefined && JSON.stringify(mine.value) === JSON.stringify(other.value);
}
