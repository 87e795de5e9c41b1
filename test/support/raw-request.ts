import { connect, type Socket } from 'node:net';

/** What came back over a socket before it closed. */
export interface RawAnswer {
  /** 0 where there was none. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends bytes as they are, which no HTTP client would, and reads until the server closes. */
export async function rawRequest(port: number, text: string): Promise<RawAnswer> {
  const socket = openSocket(port);
  socket.write(text, 'latin1');
  return readAnswer(socket);
}

/** A GET of a path as it is, unparsed and unnormalised. */
export async function rawGet(
  port: number,
  path: string,
  headers: readonly string[] = [],
): Promise<RawAnswer> {
  const lines = [`GET ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: close', ...headers];
  return rawRequest(port, `${lines.join('\r\n')}\r\n\r\n`);
}

/** A connection whose errors are not the test's concern. */
export function openSocket(port: number): Socket {
  return connect(port, '127.0.0.1').on('error', () => undefined);
}

/** Reads until the server closes the connection. */
export async function readAnswer(socket: Socket): Promise<RawAnswer> {
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => (text += part));
  await new Promise((resolve) => socket.once('close', resolve));
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  return { status, head, body: rest.join('\r\n\r\n') };
}
