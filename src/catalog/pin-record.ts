import { readdir } from 'node:fs/promises';
import { isMissing, removeFile, writeFileAtomic } from '../lib/atomic-file.ts';
import { isDigest } from '../oci/digest.ts';
import { isDigestReference, isTag, type Reference } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import { folders, RecordLayout } from './record-layout.ts';
import { walkRepositories } from './repository-walk.ts';

/** An image that is to stay, whether or not it is cached yet. */
export interface Pin {
  readonly repository: QualifiedName;
  /** Of a tag, whatever it names at the time. */
  readonly reference: Reference;
}

/**
 * The pins, one empty file each: `repositories/<upstream>/<name>/_pins/<tag>`, or `@sha256-<hex>`
 * for a digest. They are few and seldom looked at, so nothing stands in front of them.
 */
export class PinRecord {
  readonly #layout: RecordLayout;

  /** @param directory the versioned data folder, `<data>/v1` */
  constructor(directory: string) {
    this.#layout = new RecordLayout(directory);
  }

  /** @throws the disk's error */
  async add({ repository, reference }: Pin): Promise<void> {
    const path = this.#layout.pin(repository, nameOf(reference));
    await writeFileAtomic(path, '', { tmpDir: this.#layout.tmpDir });
  }

  /** Whether it was pinned. */
  remove({ repository, reference }: Pin): Promise<boolean> {
    return removeFile(this.#layout.pin(repository, nameOf(reference)));
  }

  /**
   * All pins, in ASCII order of their repositories.
   * @throws the disk's error: who takes what is not pinned away must know all of them
   */
  async all(): Promise<Pin[]> {
    const failures: unknown[] = [];
    const repositories = await walkRepositories(
      this.#layout.root,
      (error) => failures.push(error),
      new Set([folders.pins]),
    );
    if (failures.length > 0) throw failures[0];
    const pins: Pin[] = [];
    for (const repository of repositories) {
      for (const name of await entries(this.#layout.pins(repository))) {
        const reference = referenceOf(name);
        if (reference !== undefined) pins.push({ repository, reference });
      }
    }
    return pins;
  }
}

function nameOf(reference: Reference): string {
  return isDigestReference(reference) ? `@${reference.replace(':', '-')}` : reference;
}

/** What a pin's file is about; undefined where it is none. */
export function referenceOf(name: string): Reference | undefined {
  const text = name.startsWith('@') ? name.slice(1).replace('-', ':') : name;
  return isTag(text) || isDigest(text) ? text : undefined;
}

async function entries(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
