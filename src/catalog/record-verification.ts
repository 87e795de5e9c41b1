import type { Digest } from '../oci/digest.ts';
import type { CatalogObserver } from './catalog-observer.ts';
import type { Member, TagRecord } from './catalog.ts';
import { CatalogRecord } from './record.ts';
import { walkRecordFiles, type RecordFile, type RecordPlace } from './record-files.ts';

/** What is wrong with a file of the record. */
export type RecordFault = { readonly path: string; readonly detail: string } & (
  | { readonly kind: 'foreign' }
  | { readonly kind: 'malformed'; readonly place: RecordPlace }
  /** The system does not let this process read it. */
  | { readonly kind: 'unreadable' }
  /** It gives another size than the file of its content has. */
  | { readonly kind: 'mismatch'; readonly place: RecordPlace; readonly digest: Digest }
);

export interface RecordVerificationOptions {
  /** The versioned data folder, `<data>/v1`. */
  readonly directory: string;
  /** Bytes of content that is stored and known to be right; undefined for any other. */
  readonly sizeOf: (digest: Digest) => Promise<number | undefined>;
}

/** Reads every file of the record, and tells of those that say nothing, or something wrong. */
export class RecordVerification implements CatalogObserver {
  readonly #options: RecordVerificationOptions;
  readonly #record: CatalogRecord;
  /** What the last read failed with. */
  #failure: unknown;

  constructor(options: RecordVerificationOptions) {
    this.#options = options;
    this.#record = new CatalogRecord({ directory: options.directory, observer: this });
  }

  error({ error }: { readonly error: unknown }): void {
    this.#failure = error;
  }

  up(): void {}

  /** Each file with its fault, or undefined where it has none. One at a time; not to be run twice at once. */
  async *run(): AsyncGenerator<RecordFault | undefined> {
    for await (const file of walkRecordFiles(this.#record.layout.root)) {
      yield await this.check(file);
    }
  }

  /** What is wrong with a file by now. */
  async check({ path, place }: Omit<RecordFile, 'name'>): Promise<RecordFault | undefined> {
    if (place === undefined) {
      return { path, kind: 'foreign', detail: 'nothing in the record has such a name' };
    }
    this.#failure = undefined;
    const found = await this.#read(place);
    if (this.#failure !== undefined) {
      const isSystems = (this.#failure as NodeJS.ErrnoException).code !== undefined;
      const detail = reasonOf(this.#failure);
      return isSystems
        ? { path, kind: 'unreadable', detail }
        : { path, kind: 'malformed', place, detail };
    }
    if (found?.size === undefined) return undefined;
    const size = await this.#options.sizeOf(found.digest);
    if (size === undefined || size === found.size) return undefined;
    const detail = `it says ${found.size} bytes, and what is stored has ${size}`;
    return { path, kind: 'mismatch', place, digest: found.digest, detail };
  }

  /** What names content; the rest is only read. */
  async #read(place: RecordPlace): Promise<TagRecord | Member | undefined> {
    const { repository } = place;
    switch (place.kind) {
      case 'tag':
        return (await this.#record.tag(repository, place.tag))?.value;
      case 'manifests':
      case 'blobs':
        return (await this.#record.member(repository, place.kind, place.digest))?.value;
      case 'listing':
        await this.#record.listing(repository, place.key);
        return undefined;
      case 'deleted':
      case 'pin':
      case 'referrer':
        return undefined;
    }
  }
}

/** The file is named beside it. */
function reasonOf(error: unknown): string {
  const { message } = error as Error;
  return message.replace(/^\/.* (?=is (?:malformed|not JSON|larger|not a file))/, 'it ');
}
