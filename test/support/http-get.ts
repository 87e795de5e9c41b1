import { createHash } from 'node:crypto';
import { request, type IncomingHttpHeaders } from 'node:http';

/** How a GET went. */
export interface Got {
  /** 0 where no answer came. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Whether the whole body came as declared: what a client takes for success. */
  readonly complete: boolean;
  readonly received: number;
  /** Of what came. */
  readonly digest: string;
  /** What came, up to 64 KiB of it. */
  readonly text: string;
}

/** A GET under way on a connection of its own. */
export interface Getting {
  /** Never rejects: a broken connection is an outcome like any other. */
  readonly outcome: Promise<Got>;
  /** Bytes of the body so far. */
  received(): number;
  /** Breaks the connection. */
  abort(): void;
}

/** Starts a GET. */
export function startGet(url: string, headers: Readonly<Record<string, string>> = {}): Getting {
  const hash = createHash('sha256');
  const { promise: outcome, resolve } = Promise.withResolvers<Got>();
  let received = 0;
  let text = '';
  let answered = false;
  const end = (status: number, got: IncomingHttpHeaders, complete: boolean): void => {
    const digest = `sha256:${hash.digest('hex')}`;
    resolve({ status, headers: got, complete, received, digest, text });
  };
  const outgoing = request(url, { agent: false, headers }, (answer) => {
    answered = true;
    answer.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      received += chunk.length;
      if (text.length < 65_536) text += chunk.toString('latin1').slice(0, 65_536 - text.length);
    });
    answer.on('error', () => undefined);
    answer.once('close', () => {
      end(answer.statusCode ?? 0, answer.headers, answer.complete);
    });
  });
  outgoing.on('error', () => {
    // Once there is an answer, its end tells.
    if (!answered) resolve(nothing);
  });
  outgoing.end();
  return { outcome, received: () => received, abort: () => outgoing.destroy() };
}

const nothing: Got = {
  status: 0,
  headers: {},
  complete: false,
  received: 0,
  digest: '',
  text: '',
};

/** A GET to its end. */
export async function get(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Got> {
  return startGet(url, headers).outcome;
}
