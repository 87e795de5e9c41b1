import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { createCatalog } from './catalog/create-catalog.ts';
import { banner } from './cli/banner.ts';
import { exitCodes } from './cli/context.ts';
import { createRemotes } from './cli/create-remotes.ts';
import {
  createHttpObserver,
  createOperationsObserver,
  createRegistryObserver,
} from './cli/observers.ts';
import { about } from './cli/about.ts';
import { failureGrace, ProcessFailure, watchForFailures } from './cli/process-failures.ts';
import { runProgram } from './cli/program.ts';
import { explainStartFailure } from './cli/start-failure.ts';
import { stopSignal } from './cli/stop-signal.ts';
import { readVersion } from './cli/version.ts';
import type { Config } from './config/config.ts';
import { formatListen } from './config/listen.ts';
import { createApp } from './http/app.ts';
import { createOperationsApp } from './http/operations.ts';
import { HttpServer } from './http/server.ts';
import { BufferPool } from './lib/buffer-pool.ts';
import { Downloads } from './registry/downloads.ts';
import { ManifestFetcher } from './registry/fetch-manifest.ts';
import { BlobService } from './registry/get-blob.ts';
import { ManifestService } from './registry/get-manifest.ts';
import { ReferrerListService } from './registry/list-referrers.ts';
import { listRepositories } from './registry/list-repositories.ts';
import { TagListService } from './registry/list-tags.ts';
import { ManifestCache } from './registry/manifest-cache.ts';
import { RouteTable } from './registry/resolve-route.ts';
import { DiskBlobStore } from './store/disk-blob-store.ts';
import { Layout } from './store/layout.ts';
import { createAccessLog } from './telemetry/access-log.ts';
import { createLogger } from './telemetry/logger.ts';
import { Metrics } from './telemetry/metrics.ts';
import { createCatalogObserver, createUpstreamObserver } from './telemetry/observers.ts';
import { openStandardOutput, wantsColour } from './telemetry/standard-output.ts';

const version = readVersion();

/** Puts the parts together, serves until a signal says stop, and drains; rejects where it failed. */
async function serve(config: Config): Promise<void> {
  const { server, operations, storage, log } = config;
  const colour = wantsColour(process.stdout, process.env);
  const writer = openStandardOutput(log.format, colour);
  const logger = createLogger({ level: log.level, format: log.format, colour, writer });
  const access = log.access ? createAccessLog({ format: log.format, colour, writer }) : undefined;
  const metrics = new Metrics(version);
  metrics.observeDroppedLogLines(() => writer.dropped);
  const stop = stopSignal();
  watchForFailures(process, {
    logger,
    metrics: metrics.service,
    stop: (failure) => stop.fail(failure),
    exit: () => process.exit(exitCodes.failure),
  });

  const pool = new BufferPool(storage.send_buffers);
  const layout = new Layout(storage.directory);
  const store = await DiskBlobStore.open(layout, pool, storage.spool_ttl);
  const catalog = await createCatalog({
    directory: layout.root,
    redis: redisOptions(config),
    observer: createCatalogObserver(metrics, logger),
  });
  const remotes = createRemotes(
    config,
    createUpstreamObserver(metrics, logger),
    `baleen/${version}`,
  );
  const table = new RouteTable(remotes, config.default_upstream);

  const observer = createRegistryObserver(metrics, logger);
  const shutdown = new AbortController();
  const { signal } = shutdown;
  const downloads = new Downloads({
    store,
    pool,
    observer,
    continueWithoutReaders: storage.continue_downloads,
  });
  const cache = new ManifestCache(store, storage.manifest_cache);
  const fetcher = new ManifestFetcher({ catalog, cache, observer, signal });
  const manifests = new ManifestService({ catalog, cache, fetcher, observer, signal });
  metrics.observeStore(() => store.usage);
  metrics.observeDownloads(() => downloads);

  const app = createApp({
    table,
    manifests,
    blobs: new BlobService({ catalog, store, downloads, observer, signal }),
    tags: new TagListService(catalog, signal),
    referrers: new ReferrerListService(catalog, manifests, signal),
    listRepositories: (only) => listRepositories(catalog, config.default_upstream, only),
    observer: createHttpObserver(metrics, logger, access),
  });
  const operationsApp = createOperationsApp({
    metrics: async () => ({ contentType: metrics.contentType, body: await metrics.render() }),
    readiness: () => ({
      serving: stop.signal.aborted ? 'failing' : 'ok',
      catalog: catalog.cacheUp ? 'ok' : 'degraded',
    }),
    api: {
      hosts: new Set(
        [hostname(), operations.listen?.host ?? 'localhost'].map((name) => name.toLowerCase()),
      ),
      observer: createOperationsObserver(logger),
      tells: { about: () => about(version, storage.directory) },
      does: {},
    },
  });

  const limits = {
    headersTimeout: server.headers_timeout,
    keepAliveTimeout: server.keep_alive_timeout,
    stallTimeout: server.stall_timeout,
    maxHeaderSize: server.max_header_size,
  };
  const tls = server.tls && {
    cert: readFileSync(server.tls.cert),
    key: readFileSync(server.tls.key),
    ca: server.tls.client_ca === undefined ? undefined : readFileSync(server.tls.client_ca),
  };
  const onError = (error: Error): void => logger.error('a connection was not accepted', { error });
  const startedAt = Date.now();
  const registry = await HttpServer.listen(app, { ...server.listen, ...limits, tls }, onError);
  const operationsServer =
    operations.listen &&
    (await HttpServer.listen(operationsApp, { ...operations.listen, ...limits }, onError));

  void store.usage.count(startedAt, signal);
  const bound = withPorts(config, registry.port, operationsServer?.port);
  if (log.format === 'pretty')
    process.stdout.write(banner(bound, { version, hostname: hostname() }));
  logger.info('serving', {
    version,
    listen: formatListen(bound.server.listen),
    operations: bound.operations.listen && formatListen(bound.operations.listen),
    directory: storage.directory,
    upstreams: Object.keys(config.upstreams),
    default_upstream: config.default_upstream,
  });
  if (storage.max_size !== undefined) {
    logger.warn('storage.max_size is not enforced yet: watch the disk', {
      max_size: storage.max_size,
    });
  }

  const reason = await stop.received;
  const hasFailed = reason instanceof ProcessFailure;
  const grace = hasFailed ? Math.min(failureGrace, server.drain_timeout) : server.drain_timeout;
  logger.info('stopping: no new connections, running transfers get their grace', {
    signal: hasFailed ? undefined : reason,
    grace_ms: grace,
  });
  await registry.drain(grace);
  shutdown.abort();
  await downloads.stop();
  await Promise.all(remotes.map(({ remote }) => remote.upstream.close()));
  await catalog.close();
  await operationsServer?.drain(0);
  logger.info('stopped');
  await writer.close();
  if (hasFailed) throw reason;
}

function redisOptions({
  catalog: { redis },
}: Config): Parameters<typeof createCatalog>[0]['redis'] {
  if (redis === undefined) return undefined;
  const { url, password, password_file, key_prefix: keyPrefix, timeout } = redis;
  const secret =
    password_file === undefined ? password : readFileSync(password_file, 'utf8').trimEnd();
  return { url, password: secret, keyPrefix, timeout };
}

/** The configuration with the ports that the system chose where 0 was asked for. */
function withPorts(config: Config, registry: number, operations: number | undefined): Config {
  const { server } = config;
  const { listen } = config.operations;
  return {
    ...config,
    server: { ...server, listen: { ...server.listen, port: registry } },
    operations: {
      listen: listen && operations !== undefined ? { ...listen, port: operations } : listen,
    },
  };
}

/** Runs the command line, and ends the process. */
export async function run(): Promise<never> {
  try {
    const status = await runProgram(process.argv.slice(2), {
      actions: { serve },
      env: process.env,
      version,
      tty: process.stdout.isTTY,
      stdout: (text) => void process.stdout.write(text),
      stderr: (text) => void process.stderr.write(text),
    });
    // All is drained and closed; what a library may still wait for is not worth waiting for.
    process.exit(status);
  } catch (error) {
    process.stderr.write(`baleen: ${explainStartFailure(error)}\n`);
    process.exit(exitCodes.failure);
  }
}
