import type { RequestListener } from 'node:http';
import type { Config, LimitsConfig, TlsConfig } from '../config/config.ts';
import { clientKey } from '../http/client-key.ts';
import { ClientLimits, type LimitObserver } from '../http/client-limits.ts';
import { HttpServer } from '../http/server.ts';
import type { Rate } from '../lib/token-bucket.ts';
import { readCertificate, type Certificate } from './certificate.ts';
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
  #tls: TlsConfig | undefined;
  #certificate: Certificate | undefined;

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

  /** Starts listening. Rejects with the system's error, such as EADDRINUSE, or a CertificateError. */
  static async listen(config: Config, apps: ServerApps, observer: DoorObserver): Promise<Servers> {
    const { server, operations } = config;
    const onError = (error: Error): void => observer.failed(error);
    const limits = {
      headersTimeout: server.headers_timeout,
      keepAliveTimeout: server.keep_alive_timeout,
      stallTimeout: server.stall_timeout,
      maxHeaderSize: server.max_header_size,
    };
    // Where certificates are one way among others to log in, who has none may use another.
    const letsStrangersIn = config.auth?.certificates !== undefined;
    const certificate = server.tls && readCertificate(server.tls);
    const registry = await HttpServer.listen(
      apps.registry,
      {
        ...server.listen,
        ...limits,
        tls: certificate && { ...certificate.options, letsStrangersIn },
      },
      onError,
    );
    const operationsServer =
      operations.listen &&
      (await HttpServer.listen(apps.operations, { ...operations.listen, ...limits }, onError));
    const servers = new Servers(registry, operationsServer, observer);
    servers.#tls = server.tls;
    servers.#certificate = certificate;
    servers.#limit(server.limits);
    return servers;
  }

  /** @throws CertificateError */
  prepare({ server }: Config): () => void {
    const { tls, limits } = server;
    const certificate = tls && readCertificate(tls);
    return () => {
      if (tls !== undefined && certificate !== undefined) this.#show(tls, certificate);
      this.#limit(limits);
    };
  }

  /** What clients are shown; undefined without TLS. */
  get certificate(): Certificate | undefined {
    return this.#certificate;
  }

  /** The files that it was made of. */
  get certificateFiles(): readonly string[] {
    const { cert, key, client_ca } = this.#tls ?? {};
    return [cert, key, client_ca].filter((path) => path !== undefined);
  }

  /**
   * Reads these files again, and shows what is in them to whoever connects from now on.
   * @throws CertificateError; what was shown stays then
   */
  renewCertificate(): void {
    if (this.#tls !== undefined) this.#show(this.#tls, readCertificate(this.#tls));
  }

  #show(tls: TlsConfig, certificate: Certificate): void {
    if (!this.registry.renewCertificate(certificate.options)) return;
    this.#tls = tls;
    this.#certificate = certificate;
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
        ...config.operations,
        listen: listen && this.operations ? { ...listen, port: this.operations.port } : listen,
      },
    };
  }
}

function rateOf(perMinute: number | undefined, burst = perMinute): Rate | undefined {
  if (perMinute === undefined || burst === undefined) return undefined;
  return { perMillisecond: perMinute / 60_000, burst };
}
