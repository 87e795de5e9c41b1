import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { isCutShort } from '../bundle/faults.ts';
import type { ImportEvent } from '../bundle/import-event.ts';
import { openArchive } from '../bundle/open-archive.ts';
import { readArchive, type ArchiveRead } from '../bundle/read-archive.ts';
import type { IsStored } from '../bundle/staging.ts';
import type { Trust } from '../bundle/trust.ts';
import type { CatalogObserver } from '../catalog/catalog-observer.ts';
import type { Config } from '../config/config.ts';
import { isRegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { placeOf } from '../registry/image-place.ts';
import { bundleTrust } from '../service/bundle-trust.ts';
import { lockForCommand } from '../service/data-lock.ts';
import { importDirectly } from '../service/import-directly.ts';
import { assertDiskRoom, createAssertRoom } from '../service/import-room.ts';
import { placeNames } from '../service/place-names.ts';
import { Layout } from '../store/layout.ts';
import { fileSize } from '../store/verification.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { importInput, nextPart } from './import-input.ts';
import { ImportPrinter, type ImportSummary } from './import-printer.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { openWorkbench } from './workbench.ts';

interface Options {
  readonly pin?: true;
  readonly dryRun?: true;
  readonly json?: true;
  readonly name?: string;
  readonly verifyKey?: readonly string[];
}

/** `baleen import` */
export function addImportCommand(program: Command, context: CommandContext): void {
  program
    .command('import')
    .description('take images in from a file that was carried here')
    .argument('<file...>', 'a bundle, or all its parts in any order; - is standard input')
    .option('--pin', 'never evict what is cached of these images')
    .option(
      '--name <name:tag>',
      'what an image is called that has no name in the file, or only a tag',
    )
    .option(
      '--verify-key <file>',
      'take it only if this key (public, Ed25519, PEM) has signed it, or another one given so',
      append,
    )
    .option('--dry-run', 'verify all of it, say what would be new, and keep nothing')
    .option('--json', 'print one line of JSON for the result')
    .addHelpText('after', explanation)
    .action(async (files: readonly string[], options: Options, command: Command) => {
      const config = configFor(command, context);
      try {
        await run(config, context, files, options);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        const isTold = isRegistryError(error) || typeof code === 'string';
        if (!isTold) throw error;
        const next = isCutShort(error) ? nextPart(files) : undefined;
        const advice = next === undefined ? '' : `; is there a ${next}?`;
        throw new CommandFailure(`nothing was imported: ${message}${advice}`, { cause: error });
      }
    });
}

const explanation = `
It reads bundles of baleen export, packed or not; OCI archives (skopeo, podman, buildah, docker save since
25), and what docker save and podman save write otherwise. Everything is verified before any of it can be
pulled; a bundle that is not right changes nothing. Names of configured upstreams are cached, others have
to match hosted.repositories. Broken off and run again, it goes on where it was.
`;

/** An option that may be given several times. An argument behind it is never taken for another of it. */
function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

async function run(
  config: Config,
  context: CommandContext,
  files: readonly string[],
  options: Options,
): Promise<void> {
  const isDryRun = options.dryRun === true;
  const trust = await bundleTrust(config, options.verifyKey);
  const source = await importInput(files, context.stdin);
  const printer = new ImportPrinter(context, { isJson: options.json === true, isDryRun });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => source.close());
  stack.defer(() => printer.clear());
  await using client = await OperationsClient.find(config);
  // A look changes nothing, whoever is at work there.
  if (client === undefined && !isDryRun) {
    stack.use(lockForCommand(config.storage.directory, context.stderr));
  }
  const archive = await openArchive(source);
  stack.defer(() => archive.close());
  const read = await readAll(config, context, { archive, trust, options, printer });
  stack.defer(read.release);
  let pinned: readonly string[] = [];
  if (!isDryRun) {
    const parameters = { staged: read.staged, pin: options.pin === true };
    const events =
      client === undefined
        ? importDirectly(
            config,
            { ...parameters, hasHosted: hasHosted(config, read) },
            trust,
            observer(context),
          )
        : (client.stream('import', parameters) as AsyncGenerator<ImportEvent>);
    pinned = await adopted(events, printer);
  }
  printer.end(summaryOf(read, pinned, isDryRun));
}

interface Reading {
  readonly archive: Awaited<ReturnType<typeof openArchive>>;
  readonly trust: Trust;
  readonly options: Options;
  readonly printer: ImportPrinter;
}

/** Reads and verifies all of it. */
async function readAll(
  config: Config,
  context: CommandContext,
  { archive, trust, options, printer }: Reading,
): Promise<ArchiveRead> {
  const { root, layouts } = placesOf(config);
  const names = placeNames(config);
  const isStored: IsStored = async (digest, size) => {
    for (const layout of layouts) {
      if ((await fileSize(layout.blob(digest))) === size) return true;
    }
    return false;
  };
  await using bench = existsSync(root) ? await openWorkbench(config, context) : undefined;
  const read = await readArchive({
    root,
    archive,
    trust,
    name: options.name,
    isDryRun: options.dryRun === true,
    placeOf: (repository) => placeOf(repository, names),
    isStored,
    assertRoom: createAssertRoom(config, bench, options.pin === true),
    assertDiskRoom: (bytes) => assertDiskRoom(config, bytes),
    onBytes: (bytes) => printer.read(bytes),
    onIndex: (index) => printer.expect(index),
  });
  printer.expect(read.index);
  return read;
}

function placesOf({ storage }: Config): { root: string; layouts: readonly Layout[] } {
  const cached = new Layout(storage.directory);
  return { root: cached.root, layouts: [cached, new Layout(storage.directory, 'hosted')] };
}

/** The images that are pinned now. @throws CommandFailure where it was broken off */
async function adopted(
  events: AsyncIterable<ImportEvent>,
  printer: ImportPrinter,
): Promise<readonly string[]> {
  let pinned: readonly string[] | undefined;
  for await (const event of events) {
    if (event.kind === 'progress') printer.adopt(event.bytes, event.total);
    else pinned = event.pinned;
  }
  if (pinned === undefined) throw new CommandFailure('the import was broken off; run it again');
  return pinned;
}

function summaryOf(
  { kind, index, fresh, signedBy }: ArchiveRead,
  pinned: readonly string[],
  isDryRun: boolean,
): ImportSummary {
  const all = [...index.manifests, ...index.blobs];
  return {
    kind: 'summary',
    dry_run: isDryRun,
    format: kind,
    images: index.images.map(({ name, digest, platforms }) => ({ name, digest, platforms })),
    referrers: index.referrers.length,
    pinned,
    new_blobs: fresh.length,
    new_bytes: bytesOf(fresh),
    present_blobs: all.length - fresh.length,
    present_bytes: bytesOf(all) - bytesOf(fresh),
    signed_by: signedBy ?? null,
  };
}

function bytesOf(contents: readonly { readonly size: number }[]): number {
  return contents.reduce((sum, { size }) => sum + size, 0);
}

function hasHosted(config: Config, { index }: ArchiveRead): boolean {
  const names = placeNames(config);
  return [
    ...index.images.map(({ name }) => parseImageReference(name).name),
    ...index.referrers.map(({ repository }) => repository),
  ].some((repository) => placeOf(repository, names).part === 'hosted');
}

function observer({ stderr }: CommandContext): CatalogObserver {
  return {
    error: ({ operation, error }) => stderr(`${operation}: ${String(error)}\n`),
    up: () => undefined,
  };
}
