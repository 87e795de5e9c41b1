import type { TarEntry } from '../lib/tar-reader.ts';
import { invalidBundle, quoted } from './faults.ts';

/** Far above what anybody writes. */
const maxEntries = 20_000;
const longestPath = 512;
const deepest = 8;

/** The paths in an archive that others have written, as its own map: nothing is ever written under them. */
export class ArchivePaths<T> {
  readonly #seen = new Set<string>();
  readonly #files = new Map<string, T>();
  readonly #links = new Map<string, string>();
  #entries = 0;

  /**
   * Reads where an entry is.
   * @returns undefined for a folder
   * @throws RegistryError BUNDLE_INVALID for a name that leads out of the archive, a device, a fifo, one
   *   entry too many, a path that was there before
   */
  enter({ type, name, target }: TarEntry): string | undefined {
    if (++this.#entries > maxEntries) throw invalidBundle(`it has more than ${maxEntries} entries`);
    if (type === 'directory' && /^\.?\/?$/.test(name)) return undefined;
    const path = normal(type === 'directory' ? name.replace(/\/$/, '') : name);
    if (type === 'directory') return undefined;
    if (this.#seen.has(path)) throw invalidBundle(`it holds ${quoted(name)} twice`);
    this.#seen.add(path);
    if (type === 'symbolic link' || type === 'hard link') {
      const folder = type === 'hard link' ? [] : path.split('/').slice(0, -1);
      this.#links.set(path, normal(resolve(folder, target, name)));
      return undefined;
    }
    if (type !== 'file') throw invalidBundle(`${quoted(name)} is a ${type}`);
    return path;
  }

  set(path: string, file: T): void {
    this.#files.set(path, file);
  }

  /** A link's path, if there are any. */
  get link(): string | undefined {
    return this.#links.keys().next().value;
  }

  /** What a path leads to, through one link at most. */
  find(path: string): T | undefined {
    return this.#files.get(path) ?? this.#files.get(this.#links.get(path) ?? '');
  }
}

/** @throws RegistryError BUNDLE_INVALID */
function normal(name: string): string {
  const path = name.replace(/^\.\//, '');
  const parts = path.split('/');
  const isPlain =
    path.length <= longestPath &&
    parts.length <= deepest &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..') &&
    // oxlint-disable-next-line no-control-regex -- that is what is looked for
    !/[\\\u0000-\u001f\u007f]/.test(path);
  if (!isPlain) throw invalidBundle(`it holds ${quoted(name)}, which is no path inside it`);
  return path;
}

/** @throws RegistryError BUNDLE_INVALID for a target outside of the archive */
function resolve(folder: readonly string[], target: string, name: string): string {
  const parts = [...folder];
  for (const part of target.split('/')) {
    if (part === '..' && parts.pop() === undefined) {
      throw invalidBundle(`${quoted(name)} leads out of it, to ${quoted(target)}`);
    }
    if (part !== '..' && part !== '.') parts.push(part);
  }
  if (target.startsWith('/')) {
    throw invalidBundle(`${quoted(name)} leads out of it, to ${quoted(target)}`);
  }
  return parts.join('/');
}
