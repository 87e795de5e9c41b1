import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createSecureContext } from 'node:tls';
import type { Config, LimitsConfig } from '../config/config.ts';
import { clientKey } from '../http/client-key.ts';
import { ClientLimits, type LimitObserver } from '../http/client-limits.ts';
import { HttpServer, type TlsOptions } from '../http/server.ts';
import type { Rate } from '../lib/token-bucket.ts';
import { connectionLimit } from './open-files.ts';
import type { Reloadable } from './reload.ts';

/** What answers on the two ports. */
export interface ServerApps {
  readonly registry: RequestListener;
  readonly operations: RequestListener;
}

/** Told of what happens at the doors. */
export interface DoorObserver extends LimitObserver {
  /** A connection was not accepted. */
  failed(error: Error): void;
  /** The system allows for fewer connections than the configuration. */
  narrowed(configured: number, most: number): void;
}

/** The two ports. Certificates and limits follow the configuration. */
export class Servers implements Reloadable {
  readonly registry: HttpServer;
  /** Undefined where it is `off`. */
  readonly operations: HttpServer | undefined;
  readonly #observer: DoorObserver;
  readonly #clients: ClientLimits;

  private constructor(
    registry: HttpServer,
    operations: HttpServer | undefined,
    observer: DoorObserver,
  ) {
    this.registry = registry;
    this.operations = operations;
    this.#observer = observer;
    this.#clients = new ClientLimits({}, observer);
  }

  /** Starts listening. Rejects with the system's error, such as EADDRINUSE. */
  static async listen(config: Config, apps: ServerApps, observer: DoorObserver): Promise<Servers> {
    const { server, operations } = config;
    const onError = (error: Error): void => observer.failed(error);
    const limits = {
      headersTimeout: server.headers_timeout,
      keepAliveTimeout: server.keep_alive_timeout,
      stallTimeout: server.stall_timeout,
      maxHeaderSize: server.max_header_size,
    };
    const tls = readTls(server.tls);
    const registry = await HttpServer.listen(
      apps.registry,
      { ...server.listen, ...limits, tls },
      onError,
    );
    const operationsServer =
      operations.listen &&
      (await HttpServer.listen(apps.operations, { ...operations.listen, ...limits }, onError));
    const servers = new Servers(registry, operationsServer, observer);
    servers.#limit(server.limits);
    return servers;
  }

  /** @throws where a certificate or its key cannot be read, or the two do not fit */
  prepare({ server }: Config): () => void {
    const tls = readTls(server.tls);
    if (tls !== undefined) createSecureContext(contextOf(tls));
    return () => {
      if (tls !== undefined) this.registry.renewCertificate(tls);
      this.#limit(server.limits);
    };
  }

  #limit({ connections, per_client: each }: LimitsConfig): void {
    const most = connectionLimit(connections);
    if (most < connections) this.#observer.narrowed(connections, most);
    this.registry.limitConnections(most, (address) =>
      this.#observer.refused('server_connections', clientKey(address)),
    );
    const limits = {
      connections: each.connections,
      requests: each.requests,
      rate: rateOf(each.requests_per_minute, each.burst),
    };
    this.#clients.limits = limits;
    const isLimited = Object.values(limits).some((limit) => limit !== undefined);
    this.registry.limitClients(isLimited ? this.#clients : undefined);
  }

  /** The configuration with the ports that the system chose where 0 was asked for. */
  bound(config: Config): Config {
    const { server } = config;
    const { listen } = config.operations;
    return {
      ...config,
      server: { ...server, listen: { ...server.listen, port: this.registry.port } },
      operations: {
        listen: listen && this.operations ? { ...listen, port: this.operations.port } : listen,
      },
    };
  }
}

function rateOf(perMinute: number | undefined, burst = perMinute): Rate | undefined {
  if (perMinute === undefined || burst === undefined) return undefined;
  return { perMillisecond: perMinute / 60_000, burst };
}

function readTls(tls: Config['server']['tls']): TlsOptions | undefined {
  return (
    tls && {
      cert: readFileSync(tls.cert),
      key: readFileSync(tls.key),
      ca: tls.client_ca === undefined ? undefined : readFileSync(tls.client_ca),
    }
  );
}

function contextOf({ cert, key, ca }: TlsOptions): { cert: Buffer; key: Buffer; ca?: Buffer } {
  return { cert, key, ...(ca !== undefined && { ca }) };
}
