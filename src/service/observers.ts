import { isLoggedIn } from '../access/caller.ts';
import type { HttpObserver } from '../http/observer.ts';
import type { OperationsObserver } from '../http/operations-api.ts';
import type { RegistryError } from '../oci/errors.ts';
import type { Download } from '../registry/download.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import type { ProxiedRoute } from '../registry/resolve-route.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ServiceMetrics } from '../telemetry/service-metrics.ts';
import { Occasional } from '../telemetry/occasional.ts';
import type { DoorObserver } from './servers.ts';

/** Milliseconds between two log lines about the same trouble. */
const quiet = 10_000;

/**
 * Counts and logs requests.
 * @param logging its `access` is looked at for each request
 */
export function createHttpObserver(
  metrics: Metrics,
  logger: Logger,
  logging: { readonly access: AccessLog | undefined },
): HttpObserver {
  return {
    requestEnded({ context, method, path, status, remote, userAgent, durationMs }) {
      const { route, outcome, error, bytes, received, complete, caller, action } = context;
      // What is held back is refused to nobody in particular.
      const refusal = context.held === undefined ? refusalOf(error) : undefined;
      const upstream = route?.via === 'hosted' ? undefined : route?.remote.name;
      metrics.requestAnswered({
        route: route?.via,
        upstream,
        outcome: outcome?.kind,
        method,
        status,
        bytes,
        seconds: durationMs / 1000,
      });
      if (error !== undefined) metrics.errorAnswered(error.code);
      if (refusal !== undefined) metrics.accessRefused(refusal, action);
      logging.access?.write({
        id: context.id,
        remote,
        account: isLoggedIn(caller) ? caller.account : undefined,
        method,
        path,
        route: route?.via,
        upstream,
        repository: route?.repository,
        reference: context.reference,
        status,
        outcome: outcome?.kind,
        error: error?.code,
        refused: refusal && action,
        bytes,
        received: received > 0 ? received : undefined,
        durationMs,
        upstreamMs: outcome?.upstreamMs,
        userAgent,
        aborted: !complete,
      });
    },
    requestFailed({ id, route, reference }, error) {
      const fields = { id, repository: route?.key, reference, error };
      if (error.code === 'UNKNOWN') logger.error('a request failed for an unknown reason', fields);
      else logger.warn('a request failed', fields);
    },
  };
}

/** The code of an answer that tells a client that it may not. */
function refusalOf(error: RegistryError | undefined): 'UNAUTHORIZED' | 'DENIED' | undefined {
  return error?.code === 'UNAUTHORIZED' || error?.code === 'DENIED' ? error.code : undefined;
}

/** Logs what operators have asked the running service to do. */
export function createOperationsObserver(logger: Logger): OperationsObserver {
  return {
    operationEnded(operation, seconds, error) {
      const fields = { operation, seconds };
      if (error === undefined) logger.info('an operation was carried out', fields);
      else logger.warn('an operation failed', { ...fields, error });
    },
  };
}

/** Counts what happens at the doors, and tells of it now and then. */
export function createDoorObserver(metrics: ServiceMetrics, logger: Logger): DoorObserver {
  const occasional = new Occasional(quiet);
  return {
    refused(limit, client) {
      metrics.clientRefused(limit);
      const held = occasional.admit(`${limit} ${client}`);
      if (held === undefined) return;
      logger.warn('a client has reached a limit', {
        limit,
        client,
        ...(held > 0 && { suppressed: held }),
      });
    },
    narrowed(configured, most) {
      logger.warn('fewer connections are taken than server.limits.connections: raise ulimit -n', {
        configured,
        most,
      });
    },
    failed(error) {
      metrics.acceptFailed((error as NodeJS.ErrnoException).code);
      const held = occasional.admit('accept');
      if (held === undefined) return;
      logger.error('a connection was not accepted', {
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
  };
}

/** Told of what the use cases survive. */
export interface RegistryEvents {
  downloadEnded(download: Download): void;
  received(download: Download, bytes: number): void;
  servedStale(route: ProxiedRoute, reference: string, error: RegistryError): void;
  cached(route: ProxiedRoute, reference: string, manifest: StoredManifest): void;
  notStored(route: ProxiedRoute, reference: string, error: unknown): void;
}

/** Counts and logs what goes on between requests. */
export function createRegistryObserver(
  metrics: Metrics,
  logger: Logger,
): Omit<RegistryEvents, 'cached'> {
  const occasional = new Occasional(quiet);
  return {
    received: ({ source }, bytes) => metrics.upstreamReceived(source.upstream.name, bytes),
    downloadEnded({ digest, source, blob, state, failure }) {
      const upstream = source.upstream.name;
      metrics.downloadEnded(upstream, failure === undefined ? 'done' : failure.code);
      const fields = { upstream, repository: source.repository, digest, bytes: blob.size };
      if (failure === undefined) logger.debug('a blob was stored', fields);
      else if (state === 'verified') {
        logger.error('a blob was served and verified but could not be stored', {
          ...fields,
          error: failure,
        });
      } else logger.warn('a download failed', { ...fields, error: failure });
    },
    servedStale({ key }, reference, error) {
      const held = occasional.admit(`stale ${key} ${reference}`);
      if (held === undefined) return;
      const isDenied = error.code === 'UPSTREAM_DENIED';
      logger[isDenied ? 'error' : 'warn'](
        isDenied
          ? 'the upstream denies access to an image that is cached; check the credentials'
          : 'a tag is served stale because its upstream cannot be asked',
        { repository: key, reference, error, ...(held > 0 && { suppressed: held }) },
      );
    },
    notStored({ key }, reference, error) {
      const held = occasional.admit('not stored');
      if (held === undefined) return;
      logger.error('what was fetched could not be stored; it is fetched again next time', {
        repository: key,
        reference,
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
  };
}
