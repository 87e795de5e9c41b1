import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { PinRecord } from '../catalog/pin-record.ts';
import type { Config } from '../config/config.ts';
import type { CollectionReport } from '../hosted/collection.ts';
import { describeByteSize } from '../lib/byte-size.ts';
import { findSigner, SignOfLife } from '../lib/sign-of-life.ts';
import { pinnedDigests } from '../registry/pinned.ts';
import { collectHosted } from '../service/hosted-collection.ts';
import { openHostedWorkbench, signFile } from '../service/hosted-workbench.ts';
import { collectGarbage, inspectStore, type GcReport } from '../service/store.ts';
import { Layout } from '../store/layout.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { openWorkbench } from './workbench.ts';

/** `baleen gc` */
export function addGcCommand(program: Command, context: CommandContext): void {
  program
    .command('gc')
    .description('remove what is cached beyond its limits, and what was pushed and is not needed')
    .option('--dry-run', 'only say what would be removed')
    .option('--json', 'print one JSON document')
    .addHelpText('after', explanation)
    .action(async (options: { dryRun?: true; json?: true }, command: Command) => {
      const config = configFor(command, context);
      const dryRun = options.dryRun === true;
      const print = (report: GcReport): void =>
        context.stdout(options.json === true ? `${JSON.stringify(report)}\n` : describe(report));
      await using client = await OperationsClient.find(config);
      const report =
        client === undefined
          ? await collectDirectly(config, context, dryRun, print)
          : ((await client.post('gc', { dry_run: dryRun })) as GcReport);
      print(report);
      const skipped = report.hosted?.skipped ?? [];
      if (skipped.length > 0) {
        const names = skipped.join(', ');
        throw new CommandFailure(`left alone, since part of it cannot be read: ${names}`);
      }
    });
}

const explanation = `
Cached images go that are above storage.max_size or unused for storage.unused_ttl. Of what was pushed,
tags go that hosted.rules do not keep, with their images, and what no image names any more.
`;

/** @param print for what was done before something else failed */
async function collectDirectly(
  config: Config,
  context: CommandContext,
  dryRun: boolean,
  print: (report: GcReport) => void,
): Promise<GcReport> {
  await using bench = await openWorkbench(config, context);
  const store = await inspectStore(config);
  const pins = new PinRecord(bench.layout.root);
  store.evictor.protect(() => pinnedDigests(pins, bench.catalog, store));
  const report = await collectGarbage(store, config.storage.spool_ttl, dryRun);
  try {
    const hosted = await collectPushed(config, context, dryRun);
    return hosted === undefined ? report : { ...report, hosted };
  } catch (error) {
    print(report);
    throw error;
  }
}

/**
 * Collects what was pushed, in this process. What is cached comes back if it was removed too early;
 * this does not: so nobody else may be at work on it.
 * @throws CommandFailure where somebody is, or begins to be
 */
async function collectPushed(
  config: Config,
  { stderr }: CommandContext,
  dryRun: boolean,
): Promise<CollectionReport | undefined> {
  const layout = new Layout(config.storage.directory, 'hosted');
  if ((await stat(layout.repositories).catch(() => undefined)) === undefined) return undefined;
  const observer = {
    error: ({ operation, error }: { operation: string; error: unknown }): void =>
      stderr(`${operation}: ${String(error)}\n`),
    up: (): void => undefined,
  };
  const onSkipped = (repository: string, error: unknown): void =>
    stderr(`${repository}: ${String(error)}\n`);
  // To look does no harm, whoever is at work.
  const place = dryRun ? undefined : await takePlace(layout);
  const stop = new AbortController();
  const mayChange = async (): Promise<void> => {
    if ((await place?.isLast()) === false) {
      stop.abort(new CommandFailure('broken off: a Baleen has been started on this directory'));
    }
    stop.signal.throwIfAborted();
  };
  try {
    await using bench = await openHostedWorkbench(config, observer, mayChange);
    return await collectHosted(config.hosted, bench, onSkipped, dryRun, stop.signal);
  } finally {
    await place?.end();
  }
}

/** @throws CommandFailure where somebody is at work there */
async function takePlace(layout: Layout): Promise<SignOfLife> {
  const signer = await findSigner(signFile(layout));
  if (signer !== undefined) {
    throw new CommandFailure(
      `what was pushed is left alone: process ${signer.pid} (${signer.role}) is at work on it, or was a minute ago, and its operations port does not answer here`,
    );
  }
  return SignOfLife.begin(signFile(layout), 'gc', layout.temporary);
}

function describe({ dry_run, blobs, bytes, before, after, hosted }: GcReport): string {
  const from = `${describeByteSize(before)} → ${describeByteSize(after)}`;
  const verb = dry_run ? 'Would remove' : 'Removed';
  const cached = `${verb} ${count(blobs, 'blob')}, ${describeByteSize(bytes)} (${from}).\n`;
  if (hosted === undefined || hosted.repositories === 0) return cached;
  const { tags, manifests } = hosted;
  const parts = [
    count(tags.length, 'tag'),
    count(manifests.length, 'manifest'),
    count(hosted.blobs, 'blob'),
    describeByteSize(hosted.bytes),
  ];
  const names = [...tags, ...manifests].map((name) => `  ${name}\n`).join('');
  return `${cached}${verb} of what was pushed: ${parts.join(', ')}.\n${names}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
