import { opendir, stat, utimes } from 'node:fs/promises';
import { isMissing } from '../lib/atomic-file.ts';
import { digestAlgorithms, isDigest, type Digest } from '../oci/digest.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { MemberKind } from './catalog.ts';
import { RecordLayout } from './record-layout.ts';

/**
 * The files that say what belongs to a repository, for those who decide by them what may go:
 * unlike the catalog's, these reads fail where the disk does. What is left out for want of a look
 * would count as belonging to nobody.
 */
export class MemberFiles {
  readonly #layout: RecordLayout;

  /** @param directory the versioned folder, `<data>/v1/hosted` */
  constructor(directory: string) {
    this.#layout = new RecordLayout(directory);
  }

  /**
   * What is on record, in no order, a few at a time: a folder of a hundred thousand holds nobody up.
   * @throws the file system's error
   */
  async *list(repository: QualifiedName, kind: MemberKind): AsyncGenerator<Digest> {
    for (const algorithm of digestAlgorithms) {
      const path = this.#layout.members(repository, kind, algorithm);
      const folder = await opendir(path, { bufferSize: 256 }).catch(unlessMissing);
      if (folder === undefined) continue;
      for await (const { name } of folder) {
        const digest = `${algorithm}:${name}`;
        if (isDigest(digest)) yield digest;
      }
    }
  }

  /**
   * When it was linked or {@link renew}ed, in milliseconds since the epoch; undefined where it is no member.
   * @throws the file system's error
   */
  async time(
    repository: QualifiedName,
    kind: MemberKind,
    digest: Digest,
  ): Promise<number | undefined> {
    const path = this.#layout.member(repository, kind, digest);
    return (await stat(path).catch(unlessMissing))?.mtimeMs;
  }

  /**
   * Makes it look linked just now. Whether it is a member.
   * @throws the file system's error
   */
  async renew(repository: QualifiedName, kind: MemberKind, digest: Digest): Promise<boolean> {
    const now = new Date();
    const path = this.#layout.member(repository, kind, digest);
    const missing = await utimes(path, now, now).then(
      () => false,
      (error: unknown) => unlessMissing(error) === undefined,
    );
    return !missing;
  }
}

function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
