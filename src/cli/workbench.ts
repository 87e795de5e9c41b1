import { readFile, stat } from 'node:fs/promises';
import { createCatalog } from '../catalog/create-catalog.ts';
import { PinRecord } from '../catalog/pin-record.ts';
import type { KeyvCatalog } from '../catalog/keyv-catalog.ts';
import type { Config } from '../config/config.ts';
import { removeFile } from '../lib/atomic-file.ts';
import type { Digest } from '../oci/digest.ts';
import type { UpstreamNames } from '../registry/image-target.ts';
import { fileId, type FileId } from '../store/file-id.ts';
import { Layout } from '../store/layout.ts';
import { Quarantine } from '../store/quarantine.ts';
import { fileSize } from '../store/verification.ts';
import { createWithdraw, type Withdraw } from '../store/withdraw.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import { redisOptions } from '../service/redis-options.ts';
import { keepsAll } from '../service/store.ts';
import { upstreamNames } from '../service/upstream-names.ts';

/** What a command needs to work on the data directory itself, where no Baleen runs that could. */
export interface Workbench extends AsyncDisposable {
  readonly layout: Layout;
  readonly catalog: KeyvCatalog;
  readonly quarantine: Quarantine;
  readonly withdraw: Withdraw;
  /** The whole of a blob, or undefined where it is not there or has more bytes than the limit. */
  readonly read: (digest: Digest, limit: number) => Promise<Buffer | undefined>;
  /** Bytes of a blob. */
  readonly sizeOf: (digest: Digest) => Promise<number | undefined>;
  readonly remove: (digest: Digest) => Promise<boolean>;
  readonly forget: (digest: Digest) => void;
  readonly names: () => UpstreamNames;
  readonly pins: PinRecord;
}

/**
 * Opens the data directory, in a way that does no harm to a service that runs on it all the same
 * (its operations port may be off): nothing is cleaned up, every step stands alone.
 * @throws CommandFailure where there is none
 */
export async function openWorkbench(
  config: Config,
  { stderr }: CommandContext,
  part: Layout['part'] = 'cached',
): Promise<Workbench> {
  const { directory, quarantine_size } = config.storage;
  const limit = part === 'hosted' ? keepsAll : quarantine_size;
  const layout = new Layout(directory, part);
  if (!(await isDirectory(layout.root))) {
    throw new CommandFailure(`there is no store in ${directory} (storage.directory, --data)`);
  }
  const catalog = await createCatalog({
    directory: layout.root,
    // Nobody shares what was pushed, and what the record refuses is not there.
    ...(part === 'hosted' ? { onlyRecorded: true } : { redis: redisOptions(config) }),
    observer: {
      error: ({ operation, error }) => stderr(`${operation}: ${String(error)}\n`),
      up: () => undefined,
    },
  });
  const sizeOf = (digest: Digest): Promise<number | undefined> => fileSize(layout.blob(digest));
  const read = async (digest: Digest, limit: number): Promise<Buffer | undefined> => {
    const size = await sizeOf(digest);
    return size === undefined || size > limit ? undefined : readFile(layout.blob(digest));
  };
  const remove = async (digest: Digest, only?: FileId): Promise<boolean> => {
    const path = layout.blob(digest);
    return (only === undefined || (await fileId(path)) === only) && removeFile(path);
  };
  const quarantine = new Quarantine({ layout, limit, remove });
  const withdraw = createWithdraw({
    quarantine,
    forget: nothing,
    observer: {
      quarantined: () => undefined,
      notQuarantined: ({ digest }, error) => stderr(`${digest}: ${String(error)}\n`),
    },
  });
  return {
    layout,
    catalog,
    quarantine,
    withdraw,
    read,
    sizeOf,
    remove,
    forget: nothing,
    names: () => upstreamNames(config),
    pins: new PinRecord(layout.root),
    [Symbol.asyncDispose]: () => catalog.close(),
  };
}

/** The same for what was pushed; undefined where nothing ever was. */
export async function openHostedWorkbench(
  config: Config,
  context: CommandContext,
): Promise<Workbench | undefined> {
  const { root } = new Layout(config.storage.directory, 'hosted');
  return (await isDirectory(root)) ? openWorkbench(config, context, 'hosted') : undefined;
}

/** This process holds nothing in memory that others are served from. */
function nothing(): void {}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
