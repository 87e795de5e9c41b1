import { join } from 'node:path';
import type { CatalogObserver, CatalogOperation } from '../../src/catalog/catalog-observer.ts';
import type { KeyvCatalog } from '../../src/catalog/keyv-catalog.ts';
import type { CatalogUnderTest } from '../contract/catalog.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Keeps what it is told. */
export class RecordingObserver implements CatalogObserver {
  readonly errors: { readonly operation: CatalogOperation; readonly error: unknown }[] = [];
  readonly states: boolean[] = [];

  error(event: { readonly operation: CatalogOperation; readonly error: unknown }): void {
    this.errors.push(event);
  }

  up(isUp: boolean): void {
    this.states.push(isUp);
  }

  /** The operations that failed, each once, in the order of their first failure. */
  get operations(): CatalogOperation[] {
    return [...new Set(this.errors.map(({ operation }) => operation))];
  }

  get messages(): string {
    return this.errors.map(({ error }) => String(error)).join('\n');
  }
}

/** A catalog over a temporary data folder. */
export interface OpenCatalog extends CatalogUnderTest {
  readonly catalog: KeyvCatalog;
  /** The versioned data folder. */
  readonly directory: string;
  readonly observer: RecordingObserver;
  reopen(): Promise<KeyvCatalog>;
}

/** Opens a catalog over an empty folder; the folder goes away with it. */
export async function openCatalog(
  create: (directory: string, observer: RecordingObserver) => Promise<KeyvCatalog>,
): Promise<OpenCatalog> {
  const folder = tempDir('catalog');
  const directory = join(folder.path, 'v1');
  const observer = new RecordingObserver();
  const catalog = await create(directory, observer);
  let current = catalog;
  return {
    catalog,
    directory,
    observer,
    async reopen() {
      await current.close();
      current = await create(directory, observer);
      return current;
    },
    async [Symbol.asyncDispose]() {
      await current.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
