import { createHash } from 'node:crypto';
import { readFileSync, statSync, unwatchFile, watchFile, type StatsListener } from 'node:fs';
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

/** Milliseconds between two looks at the file: polled, since mounted secrets change by a link's target. */
const interval = 1_000;

/** What `htpasswd -B` takes without `-C` is 5; ours is 10. */
const defaultCost = 10;

/** The file of accounts, as it is at the moment. A file that is broken leaves the old one in force. */
export class Htpasswd {
  readonly #path: string;
  #accounts: ReadonlyMap<string, HtpasswdAccount>;
  #dummy: string;
  #listener: StatsListener | undefined;

  /** @throws HtpasswdFault where it cannot be read, or has a line that cannot be used */
  constructor(path: string) {
    this.#path = path;
    this.#accounts = readAccounts(path);
    this.#dummy = dummyFor(this.#accounts);
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

  /** Follows the file from now on. */
  watch(observer: Pick<AccessObserver, 'accountsRead'>, pollInterval = interval): void {
    this.#listener = () => {
      try {
        this.#accounts = readAccounts(this.#path);
        this.#dummy = dummyFor(this.#accounts);
        observer.accountsRead(this.#accounts.size, undefined);
      } catch (error) {
        observer.accountsRead(this.#accounts.size, error as Error);
      }
    };
    watchFile(this.#path, { interval: pollInterval, persistent: false }, this.#listener);
  }

  /** Follows it no more. */
  close(): void {
    if (this.#listener !== undefined) unwatchFile(this.#path, this.#listener);
  }
}

function readAccounts(path: string): ReadonlyMap<string, HtpasswdAccount> {
  try {
    if (statSync(path).size > maxSize) throw new HtpasswdFault('it is larger than 1 MiB');
    const entries = [...parseHtpasswd(readFileSync(path, 'utf8'))];
    return new Map(entries.map(([account, hash]) => [account, { hash, stamp: stampOf(hash) }]));
  } catch (error) {
    throw new HtpasswdFault(`${path}: ${reasonOf(error)}`, { cause: error });
  }
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
