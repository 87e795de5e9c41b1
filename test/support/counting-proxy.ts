import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import { once } from 'node:events';
import { pipeline } from 'node:stream';
import { classify, type RequestKind } from './request-kind.ts';

/** A request as it came, and how it was answered. */
export interface CountedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly kind: RequestKind;
  readonly headers: IncomingHttpHeaders;
  /** Undefined until it is answered. */
  status: number | undefined;
}

/** A reverse proxy that passes everything through unchanged and keeps count. */
export class CountingProxy implements AsyncDisposable {
  /** In order of arrival; emptied by {@link forget}. */
  requests: CountedRequest[] = [];
  readonly port: number;
  readonly #target: number;
  #server: Server | undefined;

  constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
  }

  async start(): Promise<void> {
    const server = createServer((incoming, answer) => {
      const { method = '', url = '', headers } = incoming;
      const counted: CountedRequest = {
        method,
        url,
        kind: classify(method, url),
        headers,
        status: undefined,
      };
      this.requests.push(counted);
      const onward = request({ port: this.#target, method, path: url, headers }, (reply) => {
        counted.status = reply.statusCode;
        answer.writeHead(reply.statusCode ?? 502, reply.headers);
        pipeline(reply, answer, () => undefined);
      });
      onward.on('error', () => answer.destroy());
      pipeline(incoming, onward, () => undefined);
    }).listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
  }

  /** Refuses connections from now on and breaks the present ones. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  /** The requests of a kind that were not turned away with a challenge. */
  served(kind: RequestKind): CountedRequest[] {
    return this.requests.filter((each) => each.kind === kind && each.status !== 401);
  }

  /** Starts counting anew. */
  forget(): void {
    this.requests = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
