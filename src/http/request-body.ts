import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/*
 * Bodies of requests. Most requests have none that matters: all of it has to arrive within the time
 * that a head may take. One that is welcome may last as long as it moves (the connection's own
 * deadline sees to that).
 */

interface Watch {
  readonly timer: NodeJS.Timeout;
  isWelcome: boolean;
}

const watches = new WeakMap<IncomingMessage, Watch>();
/** Those that were welcome before they were watched: the first listener may be that quick. */
const welcome = new WeakSet<IncomingMessage>();

/** Whether a request has a body; one that is announced as empty is none. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/**
 * Sees to it that a body does not last forever, unless it is welcome.
 * @param patience milliseconds
 */
export function watchBody(request: IncomingMessage, patience: number): void {
  if (!hasBody(request)) return;
  const timer = setInterval(() => {
    if (!watch.isWelcome) request.socket.destroy();
  }, patience).unref();
  const watch: Watch = { timer, isWelcome: welcome.has(request) };
  watches.set(request, watch);
  request.once('close', () => clearInterval(timer));
}

/** The body of a request, to be read for as long as it takes. */
export function welcomeBody(request: IncomingMessage): Readable {
  const watch = watches.get(request);
  if (watch === undefined) welcome.add(request);
  else watch.isWelcome = true;
  return request;
}

/**
 * Lets go of what is left of a body: it is read for a while and thrown away, for most clients read
 * their answer only when all is sent.
 */
export function discardBody(request: IncomingMessage): void {
  const watch = watches.get(request);
  if (watch !== undefined) {
    watch.isWelcome = false;
    watch.timer.refresh();
  }
  request.resume();
}
