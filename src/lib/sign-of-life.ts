import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { writeFileAtomic } from './atomic-file.ts';

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
  readonly #id: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string, id: string) {
    this.#path = path;
    this.#id = id;
    this.#timer = setInterval(() => {
      const now = new Date();
      // A full or read-only disk: whoever would mistake us for dead can remove nothing either.
      utimes(path, now, now).catch(() => undefined);
    }, beat).unref();
  }

  /**
   * Signs from now on, whoever has signed before. Where one with another role was at work a moment
   * ago, it settles when that one has had the time to notice.
   * @param tmpDir where the file grows before it is renamed
   * @throws the file system's error
   */
  static async begin(path: string, role: string, tmpDir: string): Promise<SignOfLife> {
    const before = await readSigner(path);
    const isFresh = Date.now() - ((await lastBeat(path)) ?? 0) < fresh;
    const signer: Signer = { id: randomUUID(), pid: process.pid, role };
    await writeFileAtomic(path, `${JSON.stringify(signer)}\n`, { tmpDir });
    if (isFresh && before !== undefined && before.role !== role) await delay(beat);
    return new SignOfLife(path, signer.id);
  }

  /** Whether nobody else has signed since. */
  async isLast(): Promise<boolean> {
    return (await readSigner(this.#path))?.id === this.#id;
  }

  /** Takes the sign away, if it is still this one. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    if (await this.isLast()) await rm(this.#path, { force: true });
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
