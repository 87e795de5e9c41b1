import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from 'jose';

/** An outside issuer on loopback: its discovery document, its keys, and the tokens that it signs. */
export class TokenIssuer implements AsyncDisposable {
  readonly #server: Server;
  readonly #alg: string;
  #key!: CryptoKey;
  #kid = 0;
  /** What is served under `/keys`. */
  keys: JWK[] = [];
  /** Answers to be given in place of the documents, by path. */
  readonly answers = new Map<string, { readonly status: number; readonly body: string }>();
  /** Paths that were asked for. */
  readonly asked: string[] = [];

  private constructor(alg: string) {
    this.#alg = alg;
    this.#server = createServer(({ url = '' }, response) => {
      this.asked.push(url);
      const documents: Readonly<Record<string, unknown>> = {
        '/.well-known/openid-configuration': { issuer: this.url, jwks_uri: `${this.url}/keys` },
        '/keys': { keys: this.keys },
      };
      const { status, body } = this.answers.get(url) ?? {
        status: Object.hasOwn(documents, url) ? 200 : 404,
        body: JSON.stringify(documents[url] ?? {}),
      };
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
    });
  }

  static async start(alg = 'RS256'): Promise<TokenIssuer> {
    const issuer = new TokenIssuer(alg);
    issuer.#server.listen(0, '127.0.0.1');
    await once(issuer.#server, 'listening');
    await issuer.renewKeys();
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  get kid(): string {
    return `key-${String(this.#kid)}`;
  }

  /** Signs with other keys from now on; the old ones are gone. */
  async renewKeys(): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(this.#alg, { extractable: true });
    this.#key = privateKey;
    this.#kid++;
    const jwk = await exportJWK(publicKey);
    this.keys = [{ ...jwk, kid: this.kid, alg: this.#alg, use: 'sig' }];
  }

  /** A token that is right, but for what is given. */
  async sign(claims: JWTPayload = {}, kid = this.kid): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const standard = { iss: this.url, aud: 'baleen', sub: 'job-7', iat: now, exp: now + 600 };
    return new SignJWT({ ...standard, ...claims })
      .setProtectedHeader({ alg: this.#alg, kid })
      .sign(this.#key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await Promise.resolve();
  }
}
