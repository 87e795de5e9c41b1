import type { Socket } from 'node:net';
import { buildConnector } from 'undici';

/** Failures of connections on which an answer had come before. */
const failures = new WeakSet<object>();

/**
 * Connects as undici does, and remembers which failures befell a connection that had been in use:
 * a server may close it at the very moment at which the next request leaves.
 */
export function trackingConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(options);
  return (target, callback) => {
    connect(target, (...result) => {
      if (result[0] === null) track(result[1]);
      callback(...result);
    });
  };
}

function track(socket: Socket): void {
  socket.once('error', (error) => {
    if (socket.bytesRead > 0) failures.add(error);
  });
}

const resets: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Whether a request failed because its kept connection was gone: it may be sent again on another. */
export function wasKept(error: unknown): boolean {
  const { code } = Object(error) as { code?: unknown };
  return failures.has(Object(error)) && resets.has(code);
}
