import type { SecureContextOptions, SecureVersion, TlsOptions as NodeTlsOptions } from 'node:tls';

/** What a server shows and asks of its clients; all PEM. */
export interface TlsOptions {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The authority of whom clients need a certificate; where absent, they need none. */
  readonly ca: Buffer | undefined;
  /** Whether who has no certificate of it is let in all the same, for accounts to decide; no where absent. */
  readonly letsStrangersIn?: boolean | undefined;
  /** The oldest version that is spoken. */
  readonly minVersion: SecureVersion;
}

/** What can be renewed while the server runs. Node minds a `ca` that is there and undefined. */
export function secureContextOf({ cert, key, ca, minVersion }: TlsOptions): SecureContextOptions {
  return { cert, key, minVersion, ...(ca !== undefined && { ca }) };
}

/**
 * What a server is made with. Clients are offered HTTP/1.1 alone, which is Node's own default.
 * @param handshakeTimeout milliseconds
 */
export function tlsServerOptions(tls: TlsOptions, handshakeTimeout: number): NodeTlsOptions {
  const asksClients = { requestCert: true, rejectUnauthorized: tls.letsStrangersIn !== true };
  return { ...secureContextOf(tls), handshakeTimeout, ...(tls.ca !== undefined && asksClients) };
}
