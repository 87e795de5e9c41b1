import { createHash } from 'node:crypto';

/** What proves to a registry who we are. */
export type Credential =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, to be exchanged at the token endpoint (`identitytoken` in Docker's config.json). */
  | { readonly kind: 'identity'; readonly token: string }
  /** A bearer token, sent to the registry as it is (`registrytoken` in Docker's config.json). */
  | { readonly kind: 'registry'; readonly token: string };

/** Where the credential for one registry comes from. */
export interface CredentialSource {
  /**
   * The credential of the moment; undefined where there is none, which means anonymous.
   * @throws RegistryError UPSTREAM_DENIED: there should be one, but it cannot be had
   */
  get(signal: AbortSignal): Promise<Credential | undefined>;
  /** The registry refused the credential: the next `get` asks the origin anew, whatever is cached. */
  forget(): void;
}

/** One of several credentials of an upstream, and what it is called where its name is shown. */
export interface LabelledCredentials {
  /** No secret: a user's name, or `credential-N`. */
  readonly label: string;
  readonly source: CredentialSource;
}

/** One user and password for good. */
export class StaticCredentials implements CredentialSource {
  readonly #credential: Credential;

  constructor(username: string, password: string) {
    this.#credential = { kind: 'basic', username, password };
  }

  get(): Promise<Credential> {
    return Promise.resolve(this.#credential);
  }

  /** There is nothing newer to be had. */
  forget(): void {}
}

/** Tells credentials apart without giving them away: safe as a key. */
export function credentialIdentity(credential: Credential | undefined): string {
  if (credential === undefined) return 'anonymous';
  const parts =
    credential.kind === 'basic'
      ? [credential.kind, credential.username, credential.password]
      : [credential.kind, credential.token];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

/** The Authorization header for a user and password (RFC 7617, in UTF-8). */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}
