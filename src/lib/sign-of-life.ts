import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isMissing, writeFileAtomic } from './atomic-file.ts';

/** Who has signed. */
export interface Signer {
  readonly id: string;
  readonly pid: number;
  /** What it does, in a word. */
  readonly role: string;
}

/** How often the file is touched, in milliseconds. */
const beat = 1_000;

/** A file that was touched this lately shows that somebody lives, in milliseconds. */
const fresh = 60_000;

/** An older one is looked at for so long: the clocks of two machines may differ. In milliseconds. */
const observation = 3 * beat;

/**
 * A file by which a process says that it is at work on a folder. Unlike a process number, it can be
 * seen from another container and another machine; and unlike a lock, it goes stale by itself.
 */
export class SignOfLife {
  readonly #path: string;
  readonly #tmpDir: string;
  readonly #signer: Signer;
  #timer: NodeJS.Timeout | undefined;

  private constructor(path: string, role: string, tmpDir: string) {
    this.#path = path;
    this.#tmpDir = tmpDir;
    this.#signer = { id: randomUUID(), pid: process.pid, role };
  }

  /**
   * Signs from now on, whoever has signed before. Where one with another role was at work a moment
   * ago, it settles when that one has had the time to notice.
   * @param tmpDir where the file grows before it is renamed
   * @throws the file system's error
   */
  static async begin(path: string, role: string, tmpDir: string): Promise<SignOfLife> {
    const sign = new SignOfLife(path, role, tmpDir);
    await sign.#begin();
    sign.#beat();
    return sign;
  }

  /** The same for who goes on all the same where the disk is full: it signs as soon as it can. */
  static async tryToBegin(path: string, role: string, tmpDir: string): Promise<SignOfLife> {
    const sign = new SignOfLife(path, role, tmpDir);
    await sign.#begin().catch(() => undefined);
    sign.#beat();
    return sign;
  }

  /** Whether nobody else has signed since. */
  async isLast(): Promise<boolean> {
    return (await readSigner(this.#path))?.id === this.#signer.id;
  }

  /** Takes the sign away, if it is still this one. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (await this.isLast()) await rm(this.#path, { force: true });
  }

  async #begin(): Promise<void> {
    const before = await readSigner(this.#path);
    const isFresh = Date.now() - ((await lastBeat(this.#path)) ?? 0) < fresh;
    await this.#sign();
    if (isFresh && before !== undefined && before.role !== this.#signer.role) await delay(beat);
  }

  #beat(): void {
    this.#timer = setTimeout(() => {
      void this.#touch().then(() => {
        if (this.#timer !== undefined) this.#beat();
      });
    }, beat).unref();
  }

  /** Never rejects. A disk that refuses this lets nobody else remove anything either. */
  async #touch(): Promise<void> {
    const now = new Date();
    try {
      await utimes(this.#path, now, now);
    } catch (error) {
      if (isMissing(error) && this.#timer !== undefined) await this.#sign().catch(() => undefined);
    }
  }

  async #sign(): Promise<void> {
    const line = `${JSON.stringify(this.#signer)}\n`;
    await writeFileAtomic(this.#path, line, { tmpDir: this.#tmpDir });
  }
}

/**
 * Who is at work there, as far as can be told; undefined where nobody is. Takes some seconds where
 * somebody was and did not say farewell.
 */
export async function findSigner(path: string): Promise<Signer | undefined> {
  const signer = await readSigner(path);
  const first = await lastBeat(path);
  if (signer === undefined || first === undefined) return undefined;
  if (Math.abs(Date.now() - first) < fresh) return signer;
  await delay(observation);
  const second = await lastBeat(path);
  return second === undefined || second === first ? undefined : signer;
}

async function lastBeat(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.mtimeMs;
}

async function readSigner(path: string): Promise<Signer | undefined> {
  try {
    const { id, pid, role } = JSON.parse(await readFile(path, 'utf8')) as Partial<Signer>;
    if (typeof id !== 'string' || typeof pid !== 'number' || typeof role !== 'string') {
      return undefined;
    }
    return { id, pid, role };
  } catch {
    return undefined;
  }
}
