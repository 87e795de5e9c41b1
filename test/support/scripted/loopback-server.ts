import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { classify, type RequestKind } from '../request-kind.ts';

/** A request as it came, and how it was answered. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query, as on the wire. */
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly kind: RequestKind;
  readonly headers: IncomingHttpHeaders;
  /** Undefined until it is answered. */
  status: number | undefined;
  /** Bytes of the content that were handed to the connection so far. */
  sent: number;
}

/** Answers a request. What it throws breaks the connection. */
export type Handler = (
  seen: SeenRequest,
  answer: ServerResponse,
  incoming: IncomingMessage,
) => void | Promise<void>;

export interface LoopbackOptions {
  /** An address of this machine; 127.0.0.1. */
  readonly host?: string;
  /** Without it, whichever is free. */
  readonly port?: number;
  /** What every request is counted as; without it, what its path says. */
  readonly kind?: RequestKind;
}

/** An HTTP server on loopback that remembers every request, and can be stopped and started on its port. */
export class LoopbackServer implements AsyncDisposable {
  /** In order of arrival. */
  requests: SeenRequest[] = [];
  readonly #host: string;
  readonly #handler: Handler;
  readonly #kind: RequestKind | undefined;
  #server: Server | undefined;
  #port: number;

  constructor(handler: Handler, options: LoopbackOptions = {}) {
    this.#handler = handler;
    this.#host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
    this.#kind = options.kind;
  }

  get port(): number {
    return this.#port;
  }

  /** `<address>:<port>`. */
  get host(): string {
    return `${this.#host}:${String(this.#port)}`;
  }

  get origin(): string {
    return `http://${this.host}`;
  }

  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((incoming, answer) => void this.#answer(incoming, answer));
    server.listen(this.#port, this.#host, 4096);
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Refuses connections from now on and breaks the present ones. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  /** Forgets the requests seen so far. */
  forget(): void {
    this.requests = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #answer(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming;
    const { pathname, searchParams } = new URL(`http://loopback${url}`);
    const seen: SeenRequest = {
      method,
      url,
      path: pathname,
      query: searchParams,
      kind: this.#kind ?? classify(method, url),
      headers,
      status: undefined,
      sent: 0,
    };
    this.requests.push(seen);
    answer.on('error', () => undefined);
    answer.once('close', () => {
      if (answer.headersSent) seen.status = answer.statusCode;
    });
    try {
      await this.#handler(seen, answer, incoming);
      if (answer.headersSent) seen.status = answer.statusCode;
    } catch {
      answer.destroy();
    }
  }
}
