import { once } from 'node:events';
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { RegistryError } from '../oci/errors.ts';
import { isAwaitingContent } from './awaiting-content.ts';
import type { ClientLimits } from './client-limits.ts';
import { OpenAnswers } from './open-answers.ts';
import { beginInTurn, hasRoom, noteArrival } from './send-turns.ts';
import { watchBody } from './request-body.ts';
import { rememberArrival } from './request-facts.ts';
import { secureContextOf, tlsServerOptions, type TlsOptions } from './tls-options.ts';

/** Where a server listens, and its defences against slow and large requests. Times in milliseconds. */
export interface ServerOptions {
  /** Undefined for every address there is. */
  readonly host: string | undefined;
  readonly port: number;
  /** Plain HTTP where absent. */
  readonly tls?: TlsOptions | undefined;
  /** For a request's head to arrive whole, and for the TLS handshake before it. */
  readonly headersTimeout: number;
  /** For an idle connection. */
  readonly keepAliveTimeout: number;
  /** For a connection on which nothing at all moves, in either direction. */
  readonly stallTimeout: number;
  /** Bytes of a request's head. */
  readonly maxHeaderSize: number;
}

/** Milliseconds between two searches for idle connections. */
const clearingPause = 1_000;

/**
 * Connections that wait to be accepted; the system may allow for fewer (net.core.somaxconn). One
 * beyond is tried again by its client's kernel, but only after a second.
 */
const backlog = 4_096;

/** An HTTP server that can be drained. */
export class HttpServer {
  readonly #server: Server;
  readonly #listener: RequestListener;
  /** The listener, or what stands in front of it. */
  #entrance: RequestListener;
  #limits: ClientLimits | undefined;

  /** Whether clients need a certificate, which is settled at the start; undefined without TLS. */
  readonly #asksClients: boolean | undefined;

  private constructor(server: Server, listener: RequestListener, tls: TlsOptions | undefined) {
    this.#server = server;
    this.#listener = listener;
    this.#asksClients = tls && tls.ca !== undefined;
    this.#entrance = listener;
  }

  /**
   * Starts listening. Rejects with the system's error, such as EADDRINUSE.
   * @param onError told of failures once it listens
   */
  static async listen(
    answer: RequestListener,
    options: ServerOptions,
    onError: (error: Error) => void,
  ): Promise<HttpServer> {
    const { host, port, tls, headersTimeout, keepAliveTimeout, stallTimeout, maxHeaderSize } =
      options;
    const listener = inTurns(answer);
    const settings = {
      headersTimeout,
      // Some bodies may last; see request-body.ts.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1_000, Math.max(50, headersTimeout / 4)),
      keepAliveTimeout,
      maxHeaderSize,
    };
    const server =
      tls === undefined
        ? createServer(settings, listener)
        : createTlsServer({ ...settings, ...tlsServerOptions(tls, headersTimeout) }, listener);
    server.timeout = stallTimeout;
    server.on('timeout', (socket) => {
      if (isAwaitingContent(socket)) socket.setTimeout(stallTimeout);
      else socket.destroy();
    });
    server.on('connection', noteArrival);
    const open = new OpenAnswers();
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      open.add(request.socket, response);
      watchBody(request, headersTimeout);
    });
    // RFC 9110, section 10.1.1: who expects what nobody knows may be answered as if there were no such
    // header. Node's own 417 has no body, and no log line.
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
      server.emit('request', request, response);
    });
    server.on('clientError', (error, socket) => {
      // In the middle of an answer, another one would be taken for a part of its body.
      if (open.has(socket)) socket.destroy();
      else refuse(error, socket);
    });
    // Without a handshake there is nobody to answer to, and nothing else would close it.
    server.on('tlsClientError', (_error: Error, socket: Duplex) => socket.destroy());
    server.listen({ port, backlog, ...(host !== undefined && { host }) });
    await once(server, 'listening');
    // A failing accept (no memory, no descriptor) costs that connection, not the process.
    server.on('error', onError);
    return new HttpServer(server, listener, tls);
  }

  /** The port it listens on; of use where 0 was asked for. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Shows another certificate to whoever connects from now on; with a `ca`, clients need one of it.
   * Whether they need any stays as it was, and with it the old certificate where that is to change:
   * without a `ca` of ours they would be judged by the public ones.
   * @returns whether the new one is in use
   * @throws where the certificate and its key do not fit
   */
  renewCertificate(tls: TlsOptions): boolean {
    if (!(this.#server instanceof TlsServer)) return false;
    if (this.#asksClients !== (tls.ca !== undefined)) return false;
    this.#server.setSecureContext(secureContextOf(tls));
    return true;
  }

  /**
   * Holds each client to these limits, from now on, or none to any: then nothing at all is done
   * for a connection or a request.
   */
  limitClients(limits: ClientLimits | undefined): void {
    if (this.#limits !== undefined) this.#server.off('connection', this.#limits.onConnection);
    this.#server.off('request', this.#entrance);
    this.#limits = limits;
    this.#entrance = limits?.guard(this.#listener) ?? this.#listener;
    if (limits !== undefined) this.#server.on('connection', limits.onConnection);
    this.#server.prependListener('request', this.#entrance);
  }

  /**
   * Closes connections beyond so many as soon as they are made. Those that are idle give way, so
   * that there is room for the next ones.
   * @param onDropped told of each, with the client's address
   */
  limitConnections(most: number, onDropped: (address: string | undefined) => void): void {
    let lastWay = -Infinity;
    this.#server.maxConnections = most;
    this.#server.removeAllListeners('drop');
    this.#server.on('drop', (dropped) => {
      onDropped(dropped?.remoteAddress);
      // To look for idle ones takes time with many connections.
      if (performance.now() - lastWay < clearingPause) return;
      lastWay = performance.now();
      this.closeIdleConnections();
    });
  }

  /** Closes connections without a request. */
  closeIdleConnections(): void {
    this.#server.closeIdleConnections();
  }

  /**
   * Takes no new connection, lets running answers end, and after `grace` milliseconds ends those
   * that are left.
   */
  async drain(grace: number): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    const deadline = performance.now() + grace;
    const controller = new AbortController();
    void closed.then(() => controller.abort());
    while (!controller.signal.aborted && performance.now() < deadline) {
      // A connection turns idle when its answer ends, which close() alone does not notice.
      this.closeIdleConnections();
      await delay(50, undefined, { signal: controller.signal }).catch(() => undefined);
    }
    this.#server.closeAllConnections();
    await closed;
  }
}

/**
 * Lets large bodies begin in turns, so that a crowd that asks for them does not hold up who asks for
 * little. A request whose client leaves meanwhile goes on as well: what answers requests reports them.
 */
function inTurns(answer: RequestListener): RequestListener {
  return (request, response) => {
    if (request.method !== 'GET' || request.url?.includes('/blobs/') !== true) {
      answer(request, response);
      return;
    }
    if (!hasRoom()) rememberArrival(request);
    beginInTurn(() => answer(request, response));
  };
}

/** Answers what is no HTTP, or too much or too slow of it, in the form that clients of a registry know. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = reasonOf(error.code);
  const body = JSON.stringify(new RegistryError('REQUEST_INVALID', message));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function reasonOf(code: string | undefined): [status: number, message: string] {
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'the request headers are too large'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'the request did not arrive in time'];
  return [400, 'the request is not valid HTTP'];
}
