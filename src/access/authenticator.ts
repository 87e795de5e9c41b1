import type { Caller } from './caller.ts';

/** What a request brings along to say who makes it. */
export interface Presented {
  /** The Authorization header as it was sent. */
  readonly authorization: string | undefined;
  /** Of the connection, where the authority that the configuration names has signed it. */
  readonly certificate: ClientCertificate | undefined;
  /** The client's address, or its network: failures are counted by it. */
  readonly client: string;
}

/** The names in a client's certificate (RFC 5280, sections 4.1.2.6 and 4.2.1.6). */
export interface ClientCertificate {
  readonly commonName: string | undefined;
  readonly emails: readonly string[];
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
}

/** Finds out who makes a request. */
export interface Authenticator {
  /**
   * Answers at once where it is known already, as it mostly is. Nothing presented is nobody's
   * fault: that caller is `anonymous`.
   * @throws RegistryError (or rejects with one) UNAUTHORIZED: what was presented proves nothing;
   *   TOOMANYREQUESTS: after too many failures; UNAVAILABLE: it cannot be checked now
   */
  identify(presented: Presented): Caller | Promise<Caller>;
}
