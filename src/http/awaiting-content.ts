import type { Duplex } from 'node:stream';

/*
 * Connections on which nothing moves because the content they send has yet to arrive. That silence
 * is the upstream's, which has deadlines of its own; a client must not be cut off for it.
 */
const waiting = new WeakSet<Duplex>();

/** Notes that a connection begins, or ends, to wait for its content. */
export function setAwaitingContent(connection: Duplex, isWaiting: boolean): void {
  if (isWaiting) waiting.add(connection);
  else waiting.delete(connection);
}

/** Whether a connection waits for its content, not for its client. */
export function isAwaitingContent(connection: Duplex): boolean {
  return waiting.has(connection);
}
