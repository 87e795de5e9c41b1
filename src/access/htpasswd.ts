import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { costOf, HtpasswdFault, parseHtpasswd } from './htpasswd-file.ts';
import type { AccessObserver } from './observer.ts';

/** What is kept of an account. */
export interface HtpasswdAccount {
  readonly hash: string;
  /** Tells this hash from all others, and nothing about it: a token that names it ends with it. */
  readonly stamp: string;
}

/** Bytes; room for some ten thousand accounts. */
const maxSize = 1024 * 1024;

/**
 * Milliseconds between two looks at the file: what watches files for us sees neither a link's target
 * change, as mounted secrets do, nor what another machine writes.
 */
const interval = 1_000;

/** What `htpasswd -B` takes without `-C` is 5; ours is 10. */
const defaultCost = 10;

/** What was in the file, and what tells it from what will be. */
interface Read {
  readonly accounts: ReadonlyMap<string, HtpasswdAccount>;
  readonly version: string;
}

/** The file of accounts, as it is at the moment. A file that is broken leaves the old one in force. */
export class Htpasswd {
  readonly #path: string;
  #accounts: ReadonlyMap<string, HtpasswdAccount>;
  #dummy: string;
  /** Of the file that was looked at last, whether or not it could be used. */
  #version: string;
  #timer: NodeJS.Timeout | undefined;

  /** @throws HtpasswdFault where it cannot be read, or has a line that cannot be used */
  constructor(path: string) {
    this.#path = path;
    const { accounts, version } = read(path);
    this.#accounts = accounts;
    this.#dummy = dummyFor(accounts);
    this.#version = version;
  }

  get(account: string): HtpasswdAccount | undefined {
    return this.#accounts.get(account);
  }

  /**
   * The hash that a password is compared with where there is no such account: nobody can tell by
   * the time that it takes.
   */
  get dummy(): string {
    return this.#dummy;
  }

  /** Follows the file from now on, and sees also what has changed since it was read. */
  watch(observer: Pick<AccessObserver, 'accountsRead'>): void {
    this.#timer = setInterval(() => void this.#look(observer), interval).unref();
  }

  /** Follows it no more. */
  close(): void {
    clearInterval(this.#timer);
  }

  async #look(observer: Pick<AccessObserver, 'accountsRead'>): Promise<void> {
    const seen = await stat(this.#path, { bigint: true }).then(versionOf, () => 'missing');
    if (seen === this.#version) return;
    this.#version = seen;
    try {
      const { accounts, version } = read(this.#path);
      this.#accounts = accounts;
      this.#dummy = dummyFor(accounts);
      this.#version = version;
      observer.accountsRead(accounts.size, undefined);
    } catch (error) {
      observer.accountsRead(this.#accounts.size, error as Error);
    }
  }
}

function read(path: string): Read {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    // Before its bytes: what is written meanwhile makes it another one.
    const stats = fstatSync(file, { bigint: true });
    if (stats.size > maxSize) throw new HtpasswdFault('it is larger than 1 MiB');
    const entries = [...parseHtpasswd(readFileSync(file, 'utf8'))];
    const accounts = entries.map(
      ([account, hash]) => [account, { hash, stamp: stampOf(hash) }] as const,
    );
    return { accounts: new Map(accounts), version: versionOf(stats) };
  } catch (error) {
    throw new HtpasswdFault(`${path}: ${reasonOf(error)}`, { cause: error });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Another text whenever it is another file, or was written, or belongs to others. */
function versionOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'there is no such file; baleen user add makes it' : (code ?? message);
}

/** A hash has a random salt of 128 bits: its hash gives nothing to guess passwords with. */
function stampOf(hash: string): string {
  return createHash('sha256').update(hash).digest('base64url').slice(0, 16);
}

/** A hash that no password has, of the cost that most accounts have. */
function dummyFor(accounts: ReadonlyMap<string, HtpasswdAccount>): string {
  const counts = new Map<number, number>();
  for (const { hash } of accounts.values()) {
    counts.set(costOf(hash), (counts.get(costOf(hash)) ?? 0) + 1);
  }
  const [[cost] = [defaultCost]] = [...counts].toSorted(([, one], [, other]) => other - one);
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`;
}
