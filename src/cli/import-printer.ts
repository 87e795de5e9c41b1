import type { BundleIndex } from '../bundle/bundle-index.ts';
import { describeByteSize } from '../lib/byte-size.ts';
import type { CommandContext } from './context.ts';
import { Progress } from './progress.ts';

/** What `baleen import` tells in the end; sizes are bytes. */
export interface ImportSummary {
  readonly kind: 'summary';
  /** Nothing was kept: this is what would be. */
  readonly dry_run: boolean;
  /** What the file was: a bundle of Baleen, an OCI archive, or what `docker save` writes. */
  readonly format: 'bundle' | 'oci' | 'docker';
  readonly images: readonly {
    readonly name: string;
    readonly digest: string;
    readonly platforms: readonly string[];
  }[];
  /** Signatures, SBOMs and the like that came along. */
  readonly referrers: number;
  /** Images that are pinned now. */
  readonly pinned: readonly string[];
  /** Blobs and manifests that were not stored. */
  readonly new_blobs: number;
  readonly new_bytes: number;
  /** Those that were. */
  readonly present_blobs: number;
  readonly present_bytes: number;
  /** The id of the key that has signed it, where that is known here. */
  readonly signed_by: string | null;
}

/** Milliseconds between two looks of the line that is written over and over. */
const interval = 100;

/** Shows how far an import has come, and what came of it. */
export class ImportPrinter {
  readonly #context: CommandContext;
  readonly #isJson: boolean;
  readonly #isDryRun: boolean;
  readonly #progress: Progress;
  readonly #started = performance.now();
  #bytes = 0;
  #total: number | undefined;
  #shownAt = -Infinity;

  constructor(context: CommandContext, options: { isJson: boolean; isDryRun: boolean }) {
    this.#context = context;
    this.#isJson = options.isJson;
    this.#isDryRun = options.isDryRun;
    this.#progress = new Progress(context);
  }

  /** What is to be read is known. */
  expect({ manifests, blobs }: BundleIndex): void {
    const included = blobs.filter((blob) => blob.included);
    this.#total = [...manifests, ...included].reduce((sum, { size }) => sum + size, 0);
  }

  /** So many bytes more were read and verified. */
  read(bytes: number): void {
    this.#bytes += bytes;
    const now = performance.now();
    if (now - this.#shownAt < interval) return;
    this.#shownAt = now;
    const seconds = (now - this.#started) / 1000;
    const rate = `${describeByteSize(Math.round(this.#bytes / seconds))}/s`;
    const of = this.#total === undefined ? '' : ` of ${describeByteSize(this.#total)}`;
    this.#progress.show(`verified ${describeByteSize(this.#bytes)}${of}, ${rate}`);
  }

  adopt(bytes: number, total: number): void {
    this.#progress.show(`taking in ${describeByteSize(bytes)} of ${describeByteSize(total)}`);
  }

  clear(): void {
    this.#progress.clear();
  }

  end(summary: ImportSummary): void {
    this.clear();
    const text = this.#isJson ? `${JSON.stringify(summary)}\n` : describe(summary);
    this.#context.stdout(text);
    if (this.#isJson || summary.format !== 'docker') return;
    const verb = this.#isDryRun ? 'would get' : 'got';
    this.#context.stderr(
      `What docker save writes has no manifests: each image ${verb} one here, and with it a new digest.\n`,
    );
  }
}

function describe(summary: ImportSummary): string {
  const { dry_run, images, referrers, pinned, signed_by } = summary;
  const pins = new Set(pinned);
  const lines = images.map(({ name, digest, platforms }) => {
    const which = platforms.length === 0 ? '' : `  ${platforms.join(', ')}`;
    return `${name}  ${digest}${which}${pins.has(name) ? '  pinned' : ''}`;
  });
  if (signed_by !== null) lines.push(`Signed with the key ${signed_by}.`);
  const attached = referrers === 0 ? '' : ` and ${count(referrers, 'referrer')}`;
  lines.push(
    `${dry_run ? 'Would import' : 'Imported'} ${count(images.length, 'image')}${attached}: ` +
      `${count(summary.new_blobs, 'new blob')}, ${describeByteSize(summary.new_bytes)}; ` +
      `${count(summary.present_blobs, 'blob')}, ${describeByteSize(summary.present_bytes)}, were here already.`,
  );
  return `${lines.join('\n')}\n`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
