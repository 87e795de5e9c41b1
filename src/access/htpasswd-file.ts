import { anonymousAccount } from './caller.ts';

/*
 * The file of accounts, as Apache's htpasswd writes it: a line of `name:hash` for each. Only bcrypt
 * is taken: whatever else the tool can write is broken within hours once such a file gets out.
 */

/** One account: its line in the file. */
export interface HtpasswdEntry {
  readonly account: string;
  /** `$2y$10$…` */
  readonly hash: string;
}

/** What is wrong with a file, line by line. Never quotes a hash. */
export class HtpasswdFault extends Error {
  override readonly name = 'HtpasswdFault';
}

/** `$2x$` stands for hashes of a broken implementation. */
const bcryptShape = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

/** Cost 16 takes four seconds a check; what is beyond would lock its account out. */
const costs = { min: 4, max: 16 } as const;

const maxNameLength = 255;
const maxFaults = 20;

/**
 * Why an account cannot have this name; undefined where it can. A colon would end it in the file
 * and in a Basic header; what cannot be seen could pass for another name.
 */
export function accountNameFault(name: string): string | undefined {
  if (name === '') return 'an account needs a name';
  if (name.length > maxNameLength) return `a name has at most ${maxNameLength} characters`;
  if (/[:\p{C}\p{Z}]/u.test(name)) return 'a name has no colon, no space and nothing invisible';
  if (name.startsWith('#')) return 'a name does not begin with #, as comments do';
  if (name === anonymousAccount) return `${name} stands for everybody who has not logged in`;
  return undefined;
}

/** The cost that a bcrypt hash was made with: each step doubles the time of a check. */
export function costOf(hash: string): number {
  return Number(hash.slice(4, 6));
}

/**
 * Reads a file.
 * @throws HtpasswdFault naming every line that cannot be used
 */
export function parseHtpasswd(text: string): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  const faults: string[] = [];
  for (const [index, line] of linesOf(text).entries()) {
    const entry = readLine(line);
    if (entry === undefined) continue;
    const fault =
      typeof entry === 'string'
        ? entry
        : entries.has(entry.account)
          ? `${entry.account} is there twice`
          : undefined;
    if (fault !== undefined) faults.push(`line ${index + 1}: ${fault}`);
    else if (typeof entry !== 'string') entries.set(entry.account, entry.hash);
  }
  if (faults.length > 0) throw new HtpasswdFault(faults.slice(0, maxFaults).join('; '));
  return entries;
}

/** An entry, or what is wrong with it; undefined for a line that holds none. */
function readLine(line: string): HtpasswdEntry | string | undefined {
  const trimmed = line.trim();
  if (trimmed === '' || trimmed.startsWith('#')) return undefined;
  const colon = trimmed.indexOf(':');
  if (colon < 0) return 'this is no name:hash';
  const account = trimmed.slice(0, colon);
  const nameFault = accountNameFault(account);
  if (nameFault !== undefined) return nameFault;
  // Apache ignores what follows a second colon.
  const hash = trimmed.slice(colon + 1).split(':', 1)[0] ?? '';
  const cost = Number(bcryptShape.exec(hash)?.[1] ?? NaN);
  if (Number.isNaN(cost)) {
    return `${account} has no bcrypt hash: make it with htpasswd -B, or baleen user passwd ${account}`;
  }
  if (cost < costs.min || cost > costs.max) {
    return `${account} has a hash of cost ${cost}, which is not from ${costs.min} to ${costs.max}`;
  }
  return { account, hash };
}

/** The text with an account's hash put in: in its place where it is there, else at the end. */
export function withAccount(text: string, { account, hash }: HtpasswdEntry): string {
  const lines = linesOf(text);
  const index = lines.findIndex((line) => accountOf(line) === account);
  if (index < 0) lines.push(`${account}:${hash}`);
  else lines[index] = `${account}:${hash}`;
  return joinLines(lines);
}

/** The text without an account's line; comments and the order of the others stay as they are. */
export function withoutAccount(text: string, account: string): string {
  return joinLines(linesOf(text).filter((line) => accountOf(line) !== account));
}

/** The accounts of a text, in its order, whatever their hashes are like. */
export function accountsOf(text: string): string[] {
  return linesOf(text)
    .map(accountOf)
    .filter((account) => account !== undefined);
}

function accountOf(line: string): string | undefined {
  const trimmed = line.trim();
  const colon = trimmed.indexOf(':');
  return colon < 1 || trimmed.startsWith('#') ? undefined : trimmed.slice(0, colon);
}

function linesOf(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function joinLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
