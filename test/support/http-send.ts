import { request, type ClientRequest, type IncomingHttpHeaders } from 'node:http';

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The code of the first error in the body, where it is one. */
  readonly code: string | undefined;
}

export interface Sending {
  readonly headers?: Readonly<Record<string, string | number>>;
  /** All of it with its length; several parts are sent in chunks, without one. */
  readonly body?: Buffer | readonly Buffer[];
}

/** Sends a request on a connection of its own, and reads the whole answer. */
export async function send(method: string, url: string, sending: Sending = {}): Promise<Answer> {
  const { body } = sending;
  const length = Buffer.isBuffer(body) || body === undefined ? (body?.length ?? 0) : undefined;
  const outgoing = open(method, url, {
    ...(length !== undefined && { 'content-length': length }),
    ...sending.headers,
  });
  const answer = answerOf(outgoing);
  for (const part of body === undefined || Buffer.isBuffer(body) ? [body] : body) {
    if (part !== undefined && part.length > 0) outgoing.write(part);
  }
  outgoing.end();
  return answer;
}

/** A request whose body the caller writes, and may break off. */
export function open(
  method: string,
  url: string,
  headers: Readonly<Record<string, string | number>> = {},
): ClientRequest {
  return request(url, { method, agent: false, headers });
}

/** The answer to a request; rejects where the connection breaks before it. */
export function answerOf(outgoing: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.once('error', reject);
      incoming.once('end', () => {
        const { statusCode: status = 0, headers } = incoming;
        const body = Buffer.concat(parts);
        resolve({ status, headers, body, code: codeOf(body) });
      });
    });
  });
}

function codeOf(body: Buffer): string | undefined {
  try {
    const { errors } = JSON.parse(body.toString()) as { errors?: { code: string }[] };
    return errors?.[0]?.code;
  } catch {
    return undefined;
  }
}
