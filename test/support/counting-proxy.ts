import { request, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { RequestKind } from './request-kind.ts';
import { LoopbackServer, type SeenRequest } from './scripted/loopback-server.ts';

/** A reverse proxy before a registry that passes everything through unchanged and keeps count. */
export class CountingProxy extends LoopbackServer {
  /** @param target the registry's port */
  constructor(port: number, target: number) {
    super((seen, answer, incoming) => pass(target, seen, answer, incoming), { port });
  }

  /** Every request so far as `<method> <path and query>`, challenged ones included. */
  get lines(): string[] {
    return this.requests.map(({ method, url }) => `${method} ${url}`);
  }

  /** The requests of a kind that were not turned away with a challenge. */
  served(kind: RequestKind): SeenRequest[] {
    return this.requests.filter((each) => each.kind === kind && each.status !== 401);
  }
}

async function pass(
  port: number,
  { method, url, headers }: SeenRequest,
  answer: ServerResponse,
  incoming: IncomingMessage,
): Promise<void> {
  const onward = request({ port, method, path: url, headers, agent: false });
  const reply = new Promise<IncomingMessage>((resolve, reject) => {
    onward.once('response', resolve).once('error', reject);
  });
  await Promise.all([
    pipeline(incoming, onward),
    reply.then((message) => {
      answer.writeHead(message.statusCode ?? 502, message.headers);
      return pipeline(message, answer);
    }),
  ]);
}
