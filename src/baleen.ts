import { hostname } from 'node:os';
import { about } from './service/about.ts';
import { Access } from './service/access.ts';
import { announce } from './cli/announce.ts';
import { exitCodes } from './cli/context.ts';
import { watchCertificate } from './service/certificate-watch.ts';
import { lockForService } from './service/data-lock.ts';
import { watchDescriptors } from './service/descriptor-watch.ts';
import { Hosted } from './service/hosted.ts';
import { createChangeObserver, tellingOfNews, tellingOfPulls } from './service/content-events.ts';
import { imageSource, LiveHold } from './service/image-hold.ts';
import { LiveNotifications } from './service/notifications.ts';
import { Imports } from './service/imports.ts';
import { Logging } from './service/logging.ts';
import { Missing } from './service/missing.ts';
import { Maintenance } from './service/maintenance.ts';
import {
  createDoorObserver,
  createHttpObserver,
  createOperationsObserver,
  createRegistryObserver,
} from './service/observers.ts';
import { failureGrace, ProcessFailure, watchForFailures } from './service/process-failures.ts';
import { printTo } from './cli/print-to.ts';
import { runProgram } from './cli/program.ts';
import { PullThrough } from './service/pull-through.ts';
import { reloadSignal } from './service/reload-signal.ts';
import { Reloader } from './service/reload.ts';
import { Scrubbing } from './service/scrubbing.ts';
import { Servers } from './service/servers.ts';
import { explainStartFailure } from './cli/start-failure.ts';
import { gatherStats } from './service/stats.ts';
import { gcAction } from './service/gc.ts';
import { evictionPolicy } from './service/store.ts';
import { stopSignal } from './service/stop-signal.ts';
import { upstreamNames } from './service/upstream-names.ts';
import { WarmSchedules } from './service/warm-schedules.ts';
import { Warming } from './service/warming.ts';
import { readVersion } from './cli/version.ts';
import type { Config } from './config/config.ts';
import { createApp, type AppOptions } from './http/app.ts';
import { eitherContent } from './http/content.ts';
import { createOperationsApp } from './http/operations.ts';
import { BufferPool } from './lib/buffer-pool.ts';
import { listRepositories } from './registry/list-repositories.ts';
import { startHousekeeping } from './store/housekeeping.ts';
import { Layout } from './store/layout.ts';
import { Metrics } from './telemetry/metrics.ts';

const version = readVersion();

/** Puts the parts together, serves until a signal says stop, and drains; rejects where it failed. */
async function serve(config: Config, reread: () => Config): Promise<void> {
  const { operations, storage } = config;
  const logging = new Logging(config);
  const { logger, writer } = logging;
  const metrics = new Metrics(version);
  metrics.observeDroppedLogLines(() => writer.dropped);
  const stop = stopSignal();
  const reloads = reloadSignal(process.stdout.isTTY, () => stop.stop('SIGHUP'));
  watchForFailures(process, {
    logger,
    metrics: metrics.service,
    stop: stop.stop,
    exit: () => process.exit(exitCodes.failure),
  });

  const { directory } = storage;
  const lock = await lockForService({ directory, logger, signal: stop.signal });
  if (lock === undefined) return writer.close();
  const pool = new BufferPool(storage.send_buffers);
  const notifications = new LiveNotifications({
    config,
    layout: new Layout(directory),
    version,
    metrics,
    logger,
  });
  const shutdown = new AbortController();
  const { signal } = shutdown;
  const proxied = await PullThrough.open({
    config,
    version,
    pool,
    metrics,
    logger,
    observer: tellingOfNews(createRegistryObserver(metrics, logger), notifications.events),
    signal,
  });
  const { layout, store, catalog, upstreams } = proxied;
  const { table } = upstreams;
  const scrubbing = new Scrubbing(config);
  const maintenance = new Maintenance({
    config,
    layout,
    store,
    catalog,
    care: proxied.care,
    forget: (digest) => proxied.cache.forget(digest),
    names: () => upstreamNames(reloader.current),
    pins: proxied.pins,
    scrubbing,
    hosted: () => hosted.verifiable,
    metrics,
    logger,
  });
  const hosted = await Hosted.open({
    config,
    pool,
    cached: { layout, store, catalog },
    scrubbing,
    metrics,
    logger,
    signal,
  });

  const imports = new Imports({
    config: () => reloader.current,
    proxied,
    hosted: hosted.adoption,
    events: notifications.events,
    metrics: metrics.imports,
    logger,
    signal: stop.signal,
  });
  const access = await Access.open({
    config,
    table,
    directory: layout.root,
    metrics,
    logger,
    env: process.env,
  });
  const content = eitherContent(proxied.content, hosted.content);
  const held = await LiveHold.open({ config, layout, metrics, logger });
  const verdicts = held.api(imageSource(table, content.manifests, store));
  const warming = new Warming({
    config,
    proxied,
    hosted: hosted.content,
    metrics: metrics.warm,
    logger,
    signal: stop.signal,
  });
  const schedules = new WarmSchedules({ config, proxied, warming, metrics, logger });
  const missing = await Missing.open({ layout, catalog, metrics, logger });
  const registry: AppOptions = {
    table,
    accounts: access?.accounts,
    guard: access?.guard,
    content: missing.telling(content),
    changes: {
      ...hosted.changes,
      observer: createChangeObserver(notifications.events, content.blobs),
    },
    listRepositories: (only) => listRepositories({ table, cached: catalog, hosted }, only),
    observer: tellingOfPulls(
      createHttpObserver(metrics, logger, logging),
      notifications.events,
      schedules.use,
    ),
  };
  const app = createApp({ ...registry, hold: held.hold });
  const operationsApp = createOperationsApp({
    metrics: async () => ({ contentType: metrics.contentType, body: await metrics.render() }),
    readiness: () => ({
      serving: stop.signal.aborted ? 'failing' : 'ok',
      catalog: catalog.cacheUp ? 'ok' : 'degraded',
      storage: store.health.state === 'ok' && hosted.disk === 'ok' ? 'ok' : 'degraded',
    }),
    registry: { app: createApp(registry), isOpen: () => held.hold.policy !== undefined },
    api: {
      hosts: new Set(
        [hostname(), operations.listen?.host ?? 'localhost', ...operations.hosts].map((name) =>
          name.toLowerCase(),
        ),
      ),
      observer: createOperationsObserver(logger),
      stopping: stop.signal,
      tells: {
        about: () => about(version, storage.directory),
        stats: () =>
          hosted
            .stats()
            .then((pushed) =>
              gatherStats(directory, store, catalog, evictionPolicy(config), pushed),
            ),
        upstreams: () => Promise.resolve({ upstreams: upstreams.status() }),
        notifications: () => Promise.resolve(notifications.describe()),
        ...missing.api.tells,
        ...schedules.tells,
        ...verdicts.tells,
      },
      does: {
        ...maintenance.does,
        ...missing.api.does,
        ...warming.does,
        ...verdicts.does,
        ...imports.does,
        gc: gcAction({ store, spoolTtl: storage.spool_ttl, upkeep: hosted.upkeep, signal }),
      },
    },
  });

  const apps = { registry: app, operations: operationsApp };
  const servers = await Servers.listen(config, apps, createDoorObserver(metrics.service, logger));
  notifications.address = `${hostname()}:${servers.registry.port}`;
  watchDescriptors(
    { logger, metrics: metrics.service, relieve: () => servers.registry.closeIdleConnections() },
    signal,
  );
  const watched = watchCertificate({ servers, logger, metrics: metrics.service }, signal);
  const reloader = new Reloader({
    started: config,
    read: reread,
    parts: [logging, upstreams, notifications, held, servers, hosted, access, schedules].filter(
      (part) => part !== undefined,
    ),
    logger,
    metrics: metrics.service,
  });
  reloads.onReceived(() => reloader.reload());

  const stopHousekeeping = startHousekeeping({
    store,
    spoolTtl: storage.spool_ttl,
    unusedTtl: storage.unused_ttl,
  });
  const maintained = Promise.all([
    ...[maintenance, hosted, missing].map((part) => part.run(signal)),
    schedules.run(stop.signal, signal),
  ]);
  announce(
    servers.bound(config),
    { version, hostname: hostname() },
    { logger, write: (text) => void process.stdout.write(text) },
  );

  const reason = await stop.received;
  const hasFailed = reason instanceof ProcessFailure;
  const { drain_timeout: patience } = reloader.current.server;
  const grace = hasFailed ? Math.min(failureGrace, patience) : patience;
  logger.info('stopping: no new connections, running transfers get their grace', {
    signal: hasFailed ? undefined : reason,
    grace_ms: grace,
  });
  await Promise.all([servers.registry.drain(grace), warming.stop()]);
  shutdown.abort();
  stopHousekeeping();
  await proxied.stopDownloads();
  await maintained;
  await imports.settled();
  await watched;
  await access?.close();
  await hosted.close();
  await notifications.events.close();
  await proxied.close();
  await servers.operations?.drain(0);
  lock[Symbol.dispose]();
  logger.info('stopped');
  await writer.close();
  if (hasFailed) throw reason;
}

/** Runs the command line, and ends the process. */
export async function run(): Promise<never> {
  try {
    const status = await runProgram(process.argv.slice(2), {
      actions: { serve },
      env: process.env,
      version,
      tty: process.stdout.isTTY,
      stdin: process.stdin,
      terminalSize: () => {
        const { columns, rows } = process.stdout as { columns?: number; rows?: number };
        // A serial console says that it has none.
        return columns && rows ? { columns, rows } : undefined;
      },
      stdout: printTo(process.stdout),
      stderr: printTo(process.stderr),
    });
    // All is drained and closed; what a library may still wait for is not worth waiting for.
    process.exit(status);
  } catch (error) {
    process.stderr.write(`baleen: ${explainStartFailure(error)}\n`);
    process.exit(exitCodes.failure);
  }
}
