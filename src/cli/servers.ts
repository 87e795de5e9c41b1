import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/config.ts';
import { HttpServer, type TlsOptions } from '../http/server.ts';
import type { Reloadable } from './reload.ts';

/** What answers on the two ports. */
export interface ServerApps {
  readonly registry: RequestListener;
  readonly operations: RequestListener;
}

/** The two ports. Certificates follow the configuration. */
export class Servers implements Reloadable {
  readonly registry: HttpServer;
  /** Undefined where it is `off`. */
  readonly operations: HttpServer | undefined;

  private constructor(registry: HttpServer, operations: HttpServer | undefined) {
    this.registry = registry;
    this.operations = operations;
  }

  /**
   * Starts listening. Rejects with the system's error, such as EADDRINUSE.
   * @param onError told of failures once it listens
   */
  static async listen(
    { server, operations }: Config,
    apps: ServerApps,
    onError: (error: Error) => void,
  ): Promise<Servers> {
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
    if (operations.listen === undefined) return new Servers(registry, undefined);
    const options = { ...operations.listen, ...limits };
    return new Servers(registry, await HttpServer.listen(apps.operations, options, onError));
  }

  /** @throws where a certificate or its key cannot be read, or the two do not fit */
  prepare({ server }: Config): () => void {
    const tls = readTls(server.tls);
    if (tls === undefined) return () => undefined;
    createSecureContext(contextOf(tls));
    return () => this.registry.renewCertificate(tls);
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
