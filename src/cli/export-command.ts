import type { KeyObject } from 'node:crypto';
import type { Command } from 'commander';
import { BundlePlanner, type BundlePlan } from '../bundle/bundle-plan.ts';
import { keyId } from '../bundle/bundle-signature.ts';
import { bundleSize, writeBundle } from '../bundle/bundle-writer.ts';
import { readInventory } from '../bundle/held-blobs.ts';
import { readBundleDigests } from '../bundle/read-digests.ts';
import type { Config } from '../config/config.ts';
import { describeByteSize } from '../lib/byte-size.ts';
import { ticksWhile } from '../lib/ticks.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { gatherTargets } from './export-images.ts';
import {
  addExportOptions,
  exportChoices,
  signingKey,
  type ExportChoices,
  type ExportOptions,
} from './export-options.ts';
import { openOutput } from './export-output.ts';
import {
  adviceFor,
  describeContents,
  describeLacking,
  describePlan,
  describeSummary,
  plannedOf,
  type ExportPlanned,
  type ExportSummary,
} from './export-report.ts';
import { openSources, type OpenSources } from './image-sources.ts';
import { Interrupted, interruptible } from './interrupt.ts';
import { configFor } from './options.ts';
import { Progress } from './progress.ts';

/** How often it is told how far it has come, in milliseconds. */
const interval = 250;

/** `baleen export` */
export function addExportCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('export')
    .description('write images into a file that baleen import, skopeo and podman read')
    .argument('[image...]', 'such as nginx:1.27, ghcr.io/org/app@sha256:… or a whole repository');
  addExportOptions(command)
    .addHelpText('after', explanation)
    .action(async (images: readonly string[], options: ExportOptions) => {
      if (images.length === 0 && options.file === undefined) {
        command.error('error: name the images, or give a list of them with --file');
      }
      const choices = exportChoices(command, options);
      const run = new Export(configFor(command, context), context, options, choices);
      await run.run(images).catch(asFailure);
    });
}

const explanation = `
All that the images need has to be stored: baleen warm fetches it. The file is an OCI image layout in
a tar; the same images give the same bytes. Layers are compressed already: --compress gains little.
`;

class Export {
  readonly #config: Config;
  readonly #context: CommandContext;
  readonly #options: ExportOptions;
  readonly #choices: ExportChoices;
  readonly #progress: Progress;

  constructor(
    config: Config,
    context: CommandContext,
    options: ExportOptions,
    choices: ExportChoices,
  ) {
    this.#config = config;
    this.#context = context;
    this.#options = options;
    this.#choices = choices;
    this.#progress = new Progress(context);
  }

  async run(images: readonly string[]): Promise<void> {
    const { dryRun } = this.#options;
    if (this.#choices.output === '-' && this.#context.tty && dryRun !== true) {
      throw new CommandFailure('a bundle is nothing for a terminal: write -o FILE');
    }
    const key = await signingKey(this.#options, this.#context);
    await using sources = await openSources(this.#config, this.#context);
    const plan = await this.#plan(images, sources);
    const planned = plannedOf(plan, bundleSize(plan, key));
    this.#tell(planned, describePlan(planned));
    if (dryRun === true) {
      const { bytes } = planned;
      const contents = describeContents(planned, planned.images.length);
      this.#tell(undefined, `Would write ${describeByteSize(bytes)}: ${contents}.\n`);
      return;
    }
    const summary = await this.#write(plan, planned, key);
    this.#tell(summary, describeSummary(summary));
  }

  /** @throws CommandFailure where something is lacking */
  async #plan(images: readonly string[], sources: OpenSources): Promise<BundlePlan> {
    const { file: files = [], since = [], have = [], referrers, json } = this.#options;
    const request = { images, files, choice: this.#choices.choice };
    const targets = await gatherTargets(request, sources, this.#context);
    const earlier = await Promise.all(since.map(readBundleDigests));
    const held = [...earlier.map(({ blobs }) => blobs), ...have.map(readInventory)];
    const planner = new BundlePlanner({ referrers: referrers === true });
    const plan = await planner.plan(targets, held);
    if (plan.lacking.length === 0) return plan;
    if (json === true) {
      for (const image of plan.lacking) {
        this.#tell({ kind: 'lacking', ...image, advice: adviceFor(image) }, '');
      }
    }
    throw new CommandFailure(describeLacking(plan.lacking).trimEnd());
  }

  async #write(
    plan: BundlePlan,
    planned: ExportPlanned,
    key: KeyObject | undefined,
  ): Promise<ExportSummary> {
    const { bytes: total, kind: _kind, images, ...counts } = planned;
    const { output, files, written } = await openOutput(this.#choices, this.#context, total);
    using interrupt = interruptible();
    const started = performance.now();
    let bytes = 0;
    const work = writeBundle(plan, output, {
      key,
      onBytes: (count) => (bytes += count),
      signal: interrupt.signal,
    });
    for await (const _tick of ticksWhile(work, interval)) this.#show(bytes, total, started);
    this.#progress.clear();
    await work;
    return {
      kind: 'summary',
      files: files(),
      images: images.length,
      ...counts,
      bytes: total,
      written: written(),
      seconds: Math.round(performance.now() - started) / 1000,
      ...(key !== undefined && { signed_by: keyId(key) }),
    };
  }

  #show(bytes: number, total: number, started: number): void {
    if (this.#options.json === true) {
      this.#tell({ kind: 'progress', bytes, total }, '');
      return;
    }
    const rate = bytes / ((performance.now() - started) / 1000);
    const left = Math.ceil((total - bytes) / Math.max(rate, 1));
    const share = Math.floor((bytes / total) * 100);
    const [done, all, speed] = [bytes, total, Math.round(rate)].map(describeByteSize);
    this.#progress.show(`${share} %: ${done} of ${all}, ${speed}/s, ${left} s left`);
  }

  /** To where words go: not into the bundle. */
  #tell(document: object | undefined, text: string): void {
    const { stdout, stderr } = this.#context;
    const say = this.#choices.output === '-' ? stderr : stdout;
    if (this.#options.json !== true) say(text);
    else if (document !== undefined) say(`${JSON.stringify(document)}\n`);
  }
}

/** What the disk, the reader of the output or the user does ends the command with a line, not with a trace. */
function asFailure(error: unknown): never {
  if (error instanceof CommandFailure) throw error;
  const isSystems = typeof (error as NodeJS.ErrnoException).code === 'string';
  if (!isSystems && !(error instanceof Interrupted)) throw error;
  const { message } = error as Error;
  throw new CommandFailure(`nothing was written: ${message}`, { cause: error });
}
