import { createCatalog } from '../catalog/create-catalog.ts';
import type { Config } from '../config/config.ts';
import { BufferPool } from '../lib/buffer-pool.ts';
import { RegistryError } from '../oci/errors.ts';
import { isDigestReference } from '../oci/reference.ts';
import { Layout } from '../store/layout.ts';
import { formatLine } from '../telemetry/line-format.ts';
import { LineWriter } from '../telemetry/line-writer.ts';
import { createLogger } from '../telemetry/logger.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { WarmEvent } from '../warm/warm-event.ts';
import type { WarmWishes } from '../warm/warm-wishes.ts';
import type { WarmerOptions } from '../warm/warmer-options.ts';
import { createWarmer } from './create-warmer.ts';
import { lockForCommand } from './data-lock.ts';
import { createRegistryObserver } from './observers.ts';
import { PullThrough } from './pull-through.ts';

export interface WarmDirectlyOptions {
  readonly config: Config;
  readonly version: string;
  readonly wishes: WarmWishes;
  /** Told of what goes wrong beside the images; whole lines. */
  readonly stderr: (text: string) => void;
}

/**
 * Warms images on the data directory itself, for a command that found no service to work through: with
 * the same parts, under the same lock, and listening nowhere. What was spooled stays for the next time.
 * @throws RegistryError UNAVAILABLE where a service is at work there, or where the signal ends it; or
 *   the file system's error where the data directory cannot be used
 */
export async function* warmDirectly(
  { config, version, wishes, stderr }: WarmDirectlyOptions,
  signal: AbortSignal,
): AsyncGenerator<WarmEvent, void, undefined> {
  using _lock = lockForCommand(config.storage.directory, stderr);
  const metrics = new Metrics(version);
  const logger = errorsOnly();
  const ended = new AbortController();
  const hosted = await openHostedRecord(config, stderr);
  const proxied = await PullThrough.open({
    config,
    version,
    pool: new BufferPool(config.storage.send_buffers),
    metrics,
    logger,
    observer: { ...createRegistryObserver(metrics, logger), cached: () => undefined },
    signal: ended.signal,
  });
  // The store's limit holds only once it is known how full it is.
  const counted = proxied.store.count(ended.signal);
  try {
    const observer = {
      imageFailed: (_image: string, error: RegistryError): void => {
        if (error.code === 'UNKNOWN') logger.error('an image was not warmed', { error });
      },
    };
    yield* createWarmer(config, proxied, { hosted, observer }).warm(wishes, signal);
  } finally {
    ended.abort();
    await proxied.stopDownloads();
    await counted;
    await proxied.close();
    await hosted.close();
  }
}

/** What was pushed, as its record says; nothing is changed. */
async function openHostedRecord(
  config: Config,
  stderr: (text: string) => void,
): Promise<WarmerOptions['hosted'] & { close(): Promise<void> }> {
  const catalog = await createCatalog({
    directory: new Layout(config.storage.directory, 'hosted').root,
    onlyRecorded: true,
    observer: {
      error: ({ operation, error }) => stderr(`${operation}: ${String(error)}\n`),
      up: () => undefined,
    },
  });
  return {
    digest: async ({ key }, reference) => {
      const known = isDigestReference(reference)
        ? await catalog.linked(key, 'manifests', reference)
        : await catalog.tag(key, reference);
      if (known === undefined) throw new RegistryError('MANIFEST_UNKNOWN');
      return known.digest;
    },
    tags: ({ key }) => catalog.tags(key),
    close: () => catalog.close(),
  };
}

/** What becomes of images is told by other means; this is for what nobody would hear of otherwise. */
function errorsOnly(): ReturnType<typeof createLogger> {
  const format = 'pretty';
  const dropped = (lines: number): string => {
    const fields = { lines };
    return formatLine(
      { time: Date.now(), level: 'warn', message: 'log lines were dropped', fields },
      format,
      false,
    );
  };
  const writer = new LineWriter(process.stderr, { dropped });
  return createLogger({ level: 'error', format, colour: false, writer });
}
