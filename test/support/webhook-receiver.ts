import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** An event as it came (CNCF distribution, notifications/event.go). */
export interface ReceivedEvent {
  readonly id: string;
  readonly timestamp: string;
  readonly action: string;
  readonly target: Readonly<Record<string, unknown>> & {
    readonly repository: string;
    readonly digest?: string;
    readonly tag?: string;
  };
  readonly request: Readonly<Record<string, string>>;
  readonly actor: Readonly<Record<string, string>>;
  readonly source: Readonly<Record<string, string>>;
}

/** A request as it came. */
export interface ReceivedPost {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly events: readonly ReceivedEvent[];
  /** What it was answered. */
  readonly status: number;
}

/** A receiver of webhooks on loopback that remembers what it took, and fails as it is told. */
export class WebhookReceiver implements AsyncDisposable {
  readonly posts: ReceivedPost[] = [];
  /** Statuses of the next answers, before 200 is answered again; 0 breaks the connection. */
  readonly faults: number[] = [];
  /** Chooses an answer by what came; undefined for 200. */
  judge: (events: readonly ReceivedEvent[]) => number | undefined = () => undefined;
  /** Headers of the answers. */
  headers: Readonly<Record<string, string>> = {};
  /** Settles when answers may go out. */
  gate: Promise<void> = Promise.resolve();
  /** Requests that came and have no answer yet. */
  waiting = 0;
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    await receiver.listen();
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.#port)}/events`;
  }

  /** All that was taken, in order. */
  get events(): ReceivedEvent[] {
    return this.posts.filter(({ status }) => status === 200).flatMap(({ events }) => events);
  }

  /** Listens, on the port that it had before. */
  async listen(): Promise<void> {
    const server = createServer((request, answer) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('error', () => undefined);
      request.on('end', () => {
        const { events } = JSON.parse(Buffer.concat(chunks).toString()) as {
          events: ReceivedEvent[];
        };
        void this.#answer(request.url ?? '', request.headers, events, answer);
      });
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Refuses connections, and breaks the present ones. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.close();
    server?.closeAllConnections();
    if (server !== undefined) await once(server, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #answer(
    path: string,
    headers: IncomingHttpHeaders,
    events: readonly ReceivedEvent[],
    answer: ServerResponse,
  ): Promise<void> {
    this.waiting += 1;
    await this.gate;
    this.waiting -= 1;
    const status = this.faults.shift() ?? this.judge(events) ?? 200;
    this.posts.push({ path, headers, events, status });
    if (status === 0) answer.destroy();
    else answer.writeHead(status, this.headers).end('noted');
  }
}
