import { createHash } from 'node:crypto';
import { Agent, request, type IncomingHttpHeaders } from 'node:http';

/** What is asked for. */
export interface Ask {
  readonly method: 'GET' | 'HEAD';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Breaks the connection after so many bytes of the body. */
  readonly abortAfter?: number;
}

/** How a request went, as its client saw it. */
export interface Outcome {
  readonly ask: Ask;
  /** Milliseconds of performance.now(). */
  readonly began: number;
  readonly ended: number;
  /** 0 where no answer came. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Whether the whole body came as declared: what a client takes for success. */
  readonly complete: boolean;
  /** The client itself broke it off. */
  readonly aborted: boolean;
  /** Nothing ended it before the client's patience did. */
  readonly hung: boolean;
  readonly received: number;
  /** Of the body that came. */
  readonly digest: string;
  /** The first 256 KiB of it. */
  readonly head: Buffer;
}

const kept = 256 * 1024;

/** A client over connections that it keeps, as pulling clients do. */
export class Client {
  readonly #port: number;
  readonly #patience: number;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 4 });

  /** @param patience milliseconds after which an answer that has not ended counts as hanging */
  constructor(port: number, patience: number) {
    this.#port = port;
    this.#patience = patience;
  }

  /** Asks, and reads to the end; never rejects. */
  send(ask: Ask): Promise<Outcome> {
    const began = performance.now();
    const hash = createHash('sha256');
    const chunks: Buffer[] = [];
    let received = 0;
    let aborted = false;
    let hung = false;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const options = {
      host: '127.0.0.1',
      port: this.#port,
      method: ask.method,
      path: ask.path,
      headers: ask.headers,
      agent: this.#agent,
    };
    const outgoing = request(options, (answer) => {
      answer.on('data', (chunk: Buffer) => {
        if (aborted) return;
        hash.update(chunk);
        if (received < kept) chunks.push(chunk.subarray(0, kept - received));
        received += chunk.length;
        if (received >= (ask.abortAfter ?? Infinity)) {
          aborted = true;
          outgoing.destroy();
        }
      });
      answer.on('error', () => undefined);
      answer.once('close', () => end(answer.statusCode ?? 0, answer.headers, answer.complete));
    });
    const timer = setTimeout(() => {
      hung = true;
      outgoing.destroy();
    }, this.#patience);
    const end = (status: number, headers: IncomingHttpHeaders, complete: boolean): void => {
      clearTimeout(timer);
      const ended = performance.now();
      const digest = `sha256:${hash.digest('hex')}`;
      const head = Buffer.concat(chunks);
      resolve({
        ask,
        began,
        ended,
        status,
        headers,
        complete: complete && !aborted,
        aborted,
        hung,
        received,
        digest,
        head,
      });
    };
    outgoing.once('error', () => undefined);
    let answered = false;
    outgoing.once('response', () => (answered = true));
    outgoing.once('close', () => {
      // Once there is an answer, its end tells.
      if (!answered) end(0, {}, false);
    });
    outgoing.end();
    return promise;
  }

  /** Closes all connections. */
  close(): void {
    this.#agent.destroy();
  }
}
