import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, removeFile, writeFileAtomic } from '../lib/atomic-file.ts';
import { Serial } from '../lib/serial.ts';
import { digestAlgorithms, isDigest, splitDigest, type Digest } from '../oci/digest.ts';
import { parseVerdict, toDocument, type Said, type Verdict } from './verdict.ts';

export interface VerdictsOptions {
  /** One file a digest: `<folder>/sha256/<hex>`. */
  readonly folder: string;
  /** For files on their way to their name; on the same file system. */
  readonly tmpDir: string;
  /** Told that what an index names could not be written down; it is found out again when it is served. */
  readonly onNotWritten: (digest: Digest, error: unknown) => void;
}

/** Files that are read at the same time at the start. */
const width = 16;

/**
 * What has been said about images: on disk, and in memory for those who serve them.
 *
 * What was said of a digest itself comes first. Where nothing was, what was said of an index that
 * names it holds; of several such indexes, what was said last. Where those disagree, it is a refusal
 * that is disputed: else whoever may push could have an index judged that names somebody else's
 * image, too, and so lift what was said of that one, or have it refused.
 */
export class Verdicts {
  readonly #options: VerdictsOptions;
  readonly #serial = new Serial();
  readonly #said = new Map<Digest, Verdict>();
  /** The judged indexes that name a manifest. */
  readonly #indexes = new Map<Digest, Set<Digest>>();
  /** Indexes of which it is known what they name. */
  readonly #opened = new Set<Digest>();

  private constructor(options: VerdictsOptions) {
    this.#options = options;
  }

  /** Reads all there are, and clears away what counts no more. @throws the file system's error */
  static async open(options: VerdictsOptions): Promise<Verdicts> {
    const verdicts = new Verdicts(options);
    for (const algorithm of digestAlgorithms) await verdicts.#load(algorithm);
    return verdicts;
  }

  /** How many there are. */
  get size(): number {
    return this.#said.size;
  }

  /** All there are, those that count no more included. */
  all(): IterableIterator<Verdict> {
    return this.#said.values();
  }

  /** What holds for a manifest now. */
  of(digest: Digest, now: number): Said | undefined {
    const own = this.#said.get(digest);
    if (own !== undefined && isInForce(own, now)) return own;
    const indexes = this.#indexes.get(digest);
    if (indexes === undefined) return undefined;
    let [good, bad]: (Verdict | undefined)[] = [];
    for (const index of indexes) {
      const said = this.#said.get(index);
      if (said === undefined || !isInForce(said, now)) continue;
      if (said.verdict === 'allow') good = laterOf(good, said);
      else bad = laterOf(bad, said);
    }
    return bad !== undefined && good !== undefined ? { ...bad, isDisputed: true } : (bad ?? good);
  }

  /** Keeps a verdict, in place of what was said before: on disk when it settles. */
  put(verdict: Verdict): Promise<void> {
    return this.#serial.run([verdict.digest], async () => {
      await this.#write(this.#withCovers(verdict));
      this.#remember(this.#withCovers(verdict));
    });
  }

  /** Takes back what was said; gives whether anything was. */
  remove(digest: Digest): Promise<boolean> {
    return this.#serial.run([digest], async () => {
      const said = this.#said.get(digest);
      const wasThere = await removeFile(this.#pathOf(digest));
      if (said !== undefined) this.#forget(said);
      return wasThere;
    });
  }

  /** Whether it is known what this index names. */
  hasOpened(index: Digest): boolean {
    return this.#opened.has(index);
  }

  /**
   * Extends a verdict to what an index names, the index being the one that was judged, or one that
   * it names itself. In force at once; on disk soon after.
   */
  cover(said: Verdict, index: Digest, children: readonly Digest[]): void {
    this.#opened.add(index);
    const { digest } = said;
    const current = this.#said.get(digest);
    if (current === undefined || children.length === 0) return;
    this.#remember(this.#withCovers({ ...current, covers: children }));
    const write = async (): Promise<void> => {
      const latest = this.#said.get(digest);
      if (latest !== undefined) await this.#write(latest);
    };
    this.#serial
      .run([digest], write)
      .catch((error: unknown) => this.#options.onNotWritten(digest, error));
  }

  async #load(algorithm: (typeof digestAlgorithms)[number]): Promise<void> {
    const folder = join(this.#options.folder, algorithm);
    const names = await readdir(folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    const digests = names.map((name) => `${algorithm}:${name}`).filter(isDigest);
    const rest = digests.values();
    const worker = async (): Promise<void> => {
      for (const digest of rest) {
        const path = this.#pathOf(digest);
        const verdict = parseVerdict(digest, await readFile(path, 'utf8'));
        if (isInForce(verdict, Date.now())) this.#remember(verdict);
        // Nobody will ask for it again. Where the disk refuses, there is another start.
        else await removeFile(path).catch(() => false);
      }
    };
    await Promise.all(Array.from({ length: width }, worker));
  }

  /** With all that is known of what an index names: that never changes. */
  #withCovers(verdict: Verdict): Verdict {
    const known = this.#said.get(verdict.digest)?.covers ?? [];
    return { ...verdict, covers: [...new Set([...verdict.covers, ...known])] };
  }

  #write(verdict: Verdict): Promise<void> {
    const { tmpDir } = this.#options;
    const text = `${JSON.stringify(toDocument(verdict))}\n`;
    return writeFileAtomic(this.#pathOf(verdict.digest), text, { tmpDir });
  }

  #remember(verdict: Verdict): void {
    const { digest, covers } = verdict;
    this.#said.set(digest, verdict);
    if (covers.length > 0) this.#opened.add(digest);
    for (const child of covers) {
      const indexes = this.#indexes.get(child);
      if (indexes === undefined) this.#indexes.set(child, new Set([digest]));
      else indexes.add(digest);
    }
  }

  #forget({ digest, covers }: Verdict): void {
    this.#said.delete(digest);
    // An index that it named may have to be opened again for another one that names it.
    this.#opened.clear();
    for (const child of covers) {
      const indexes = this.#indexes.get(child);
      indexes?.delete(digest);
      if (indexes?.size === 0) this.#indexes.delete(child);
    }
  }

  #pathOf(digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.#options.folder, algorithm, hex);
  }
}

function laterOf(one: Verdict | undefined, other: Verdict): Verdict {
  return one === undefined || other.at >= one.at ? other : one;
}

function isInForce({ expires }: Verdict, now: number): boolean {
  return expires === undefined || now < expires;
}
