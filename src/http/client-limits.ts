import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LRUCache } from 'lru-cache';
import { isFull, takeToken, type Bucket, type Rate } from '../lib/token-bucket.ts';
import { RegistryError } from '../oci/errors.ts';
import { clientKey } from './client-key.ts';

/** What one client may do. Undefined for as much as it likes. */
export interface PerClientLimits {
  /** Connections at once. */
  readonly connections?: number | undefined;
  /** Requests at once, over all of its connections. */
  readonly requests?: number | undefined;
  readonly rate?: Rate | undefined;
}

/** The limit that was reached; `server_connections` is the one of all clients together. */
export type LimitName =
  'server_connections' | 'client_connections' | 'client_requests' | 'client_rate';

/** Told of what was refused. */
export interface LimitObserver {
  /** @param client its address, or its network */
  refused(limit: LimitName, client: string): void;
}

interface Client {
  readonly key: string;
  connections: number;
  requests: number;
  bucket: Bucket | undefined;
}

/** Clients without a connection that are remembered for the sake of their rate. */
const maxResting = 10_000;

/**
 * Holds each client to its limits. A connection too many is closed, for an answer would cost more
 * than it is worth; a request too many is answered with 429 before anything is done for it.
 *
 * What is kept grows with the connections, which are limited themselves, and with `maxResting`.
 */
export class ClientLimits {
  limits: PerClientLimits;
  readonly #observer: LimitObserver;
  readonly #now: () => number;
  readonly #connected = new Map<string, Client>();
  readonly #resting = new LRUCache<string, Bucket>({ max: maxResting });
  readonly #bySocket = new WeakMap<Socket, Client>();

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    limits: PerClientLimits,
    observer: LimitObserver,
    now: () => number = () => performance.now(),
  ) {
    this.limits = limits;
    this.#observer = observer;
    this.#now = now;
  }

  /** Clients that something is kept of. */
  get size(): number {
    return this.#connected.size + this.#resting.size;
  }

  /** Takes note of a connection, or closes it. */
  readonly onConnection = (socket: Socket): void => {
    const client = this.#enter(clientKey(socket.remoteAddress));
    socket.once('close', () => this.#leave(client));
    const { connections } = this.limits;
    if (connections === undefined || client.connections <= connections) return;
    this.#observer.refused('client_connections', client.key);
    socket.destroy();
  };

  /** A listener that passes on what is within the limits. */
  guard(listener: RequestListener): RequestListener {
    return (request, response) => {
      const client = this.#clientOf(request);
      const wait = this.#waitFor(client);
      if (wait === undefined) {
        client.requests++;
        response.once('close', () => client.requests--);
        listener(request, response);
      } else {
        refuse(request, response, wait);
      }
    };
  }

  /** Seconds after which a client may come back; undefined where it need not. */
  #waitFor(client: Client): number | undefined {
    const { requests, rate } = this.limits;
    if (requests !== undefined && client.requests >= requests) {
      this.#observer.refused('client_requests', client.key);
      return 1;
    }
    if (rate === undefined) return undefined;
    const { bucket, wait } = takeToken(client.bucket, rate, this.#now());
    client.bucket = bucket;
    if (wait === 0) return undefined;
    this.#observer.refused('client_rate', client.key);
    return Math.max(1, Math.ceil(wait / 1000));
  }

  #clientOf({ socket }: IncomingMessage): Client {
    let client = this.#bySocket.get(socket);
    if (client === undefined) {
      // Over TLS this is not the socket that was accepted; and it may be older than the limits.
      const key = clientKey(socket.remoteAddress);
      client = this.#connected.get(key);
      if (client === undefined) {
        const entered = this.#enter(key);
        socket.once('close', () => this.#leave(entered));
        client = entered;
      }
      this.#bySocket.set(socket, client);
    }
    return client;
  }

  #enter(key: string): Client {
    let client = this.#connected.get(key);
    if (client === undefined) {
      client = { key, connections: 0, requests: 0, bucket: this.#resting.get(key) };
      this.#resting.delete(key);
      this.#connected.set(key, client);
    }
    client.connections++;
    return client;
  }

  #leave(client: Client): void {
    client.connections--;
    if (client.connections > 0) return;
    this.#connected.delete(client.key);
    const { rate } = this.limits;
    if (client.bucket === undefined || rate === undefined) return;
    if (!isFull(client.bucket, rate, this.#now())) this.#resting.set(client.key, client.bucket);
  }
}

/** Answers as the error handler does, before there is anything to log the request with. */
function refuse(request: IncomingMessage, response: ServerResponse, seconds: number): void {
  const error = new RegistryError('TOOMANYREQUESTS', 'this client asks for too much at once');
  const body = Buffer.from(JSON.stringify(error));
  response.writeHead(error.status, {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'Retry-After': seconds,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
