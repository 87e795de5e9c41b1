import { connect, type Socket } from 'node:net';
import type { Target } from './messages.ts';
import { ResponseCounter, type ResponseListener } from './response-counter.ts';

/** All connections of the process read into this one: what was read is counted and forgotten. */
const shared = Buffer.allocUnsafeSlow(524_288);

export interface LoadConnection {
  /** Sends the request once more. */
  request(): void;
  socket: Socket;
}

/** What a connection reports besides its responses. */
export interface ConnectionListener extends ResponseListener {
  failed(reason: string): void;
  /** After each read; false stops the reading until `socket.resume()`. */
  read?(bytes: number): boolean;
}

/** Opens a connection that sends its first request as soon as it can. */
export function open(
  target: Target,
  listener: ConnectionListener,
  buffer: Buffer = shared,
): LoadConnection {
  const counter = new ResponseCounter(listener);
  const accept = target.accept === undefined ? '' : `Accept: ${target.accept}\r\n`;
  const head = `GET ${target.path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\n${accept}\r\n`;
  const socket = connect({
    port: target.port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer,
      callback: (length) => {
        try {
          counter.feed(buffer, length);
        } catch (error) {
          listener.failed(String(error));
          socket.destroy();
          return false;
        }
        return listener.read?.(length) ?? true;
      },
    },
  });
  const request = (): void => {
    socket.write(head);
  };
  socket.on('connect', request);
  socket.on('error', (error) => {
    listener.failed(error.message);
  });
  socket.on('end', () => {
    listener.failed('the server closed the connection');
  });
  return { request, socket };
}
