import { Counter, type Registry } from 'prom-client';

/** Counts what is imported through the running service. */
export class ImportMetrics {
  readonly #imports: Counter<'result'>;
  readonly #images: Counter<'part'>;

  constructor(register: Registry) {
    const registers = [register];
    this.#imports = new Counter({
      name: 'baleen_imports_total',
      help: 'Files of images that were taken in, by result: succeeded or failed',
      labelNames: ['result'],
      registers,
    });
    for (const result of ['succeeded', 'failed']) this.#imports.inc({ result }, 0);
    this.#images = new Counter({
      name: 'baleen_imported_images_total',
      help: 'Tags of images that were imported, by where they went: cached or hosted',
      labelNames: ['part'],
      registers,
    });
    for (const part of ['cached', 'hosted']) this.#images.inc({ part }, 0);
  }

  ended(succeeded: boolean): void {
    this.#imports.inc({ result: succeeded ? 'succeeded' : 'failed' });
  }

  imported(part: 'cached' | 'hosted', tags: number): void {
    this.#images.inc({ part }, tags);
  }
}
