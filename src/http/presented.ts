import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ClientCertificate, Presented } from '../access/authenticator.ts';
import { namesInCertificate } from '../access/certificate-names.ts';
import { clientKey } from './client-key.ts';

type OfConnection = Pick<Presented, 'certificate' | 'client'>;

/** What a connection presents is the same for all of its requests. */
const connections = new WeakMap<Socket, OfConnection>();

/** What a request brings along to say who makes it. */
export function presentedBy({ headers, socket }: IncomingMessage): Presented {
  let known = connections.get(socket);
  if (known === undefined) {
    known = { certificate: certificateOf(socket), client: clientKey(socket.remoteAddress) };
    connections.set(socket, known);
  }
  const { certificate, client } = known;
  return { authorization: headers.authorization, certificate, client };
}

/** One that the clients' authority has signed and that is in force; any other counts for none. */
function certificateOf(socket: Socket): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerCertificate();
  // Without a certificate Node gives an empty object.
  return Object.keys(certificate).length === 0 ? undefined : namesInCertificate(certificate);
}
