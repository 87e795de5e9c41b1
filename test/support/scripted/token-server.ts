import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { LoopbackServer, type SeenRequest } from './loopback-server.ts';

/** What can be scripted of a token server. */
export interface TokenOptions {
  /** Address it listens on; another than the registry's makes it a foreign host. */
  readonly host?: string;
  /** Seconds a token lives; 300. */
  expiresIn?: number;
  /** Milliseconds before each answer. */
  delay?: number;
  /** `user:password` without which no token is given. */
  readonly credentials?: string | undefined;
}

/** A token server on its own origin (CNCF distribution, "Token Authentication Specification"). */
export class TokenServer {
  readonly server: LoopbackServer;
  readonly options: TokenOptions;
  readonly #scopes = new Map<string, { scopes: string[]; until: number }>();

  constructor(options: TokenOptions = {}) {
    this.options = options;
    this.server = new LoopbackServer((seen, answer) => this.#answer(seen, answer), {
      host: options.host ?? '127.0.0.1',
      kind: 'token',
    });
  }

  /** Requests for a token so far. */
  get requests(): readonly SeenRequest[] {
    return this.server.requests;
  }

  /** Whether an Authorization header carries a living token for pulling from a repository; undefined asks for any scope. */
  allows(authorization: string | undefined, repository: string | undefined): boolean {
    const known = this.#scopes.get(authorization?.replace(/^Bearer /i, '') ?? '');
    if (known === undefined || Date.now() >= known.until) return false;
    return repository === undefined || known.scopes.includes(`repository:${repository}:pull`);
  }

  /** The challenge for a repository. */
  challenge(repository: string | undefined): string {
    const scope = repository === undefined ? '' : `,scope="repository:${repository}:pull"`;
    return `Bearer realm="${this.server.origin}/token",service="scripted, upstream"${scope}`;
  }

  /** Makes every token given so far worthless. */
  revoke(): void {
    this.#scopes.clear();
  }

  async #answer(seen: SeenRequest, answer: ServerResponse): Promise<void> {
    const { expiresIn = 300, delay = 0, credentials } = this.options;
    if (delay > 0) await sleep(delay);
    const { authorization } = seen.headers;
    const expected = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    if (seen.path !== '/token' || (expected !== undefined && authorization !== expected)) {
      answer.writeHead(401, { 'content-type': 'application/json' }).end('{"details":"no"}');
      return;
    }
    const token = `token-${String(this.#scopes.size)}-${Math.random().toString(36).slice(2)}`;
    const scopes = seen.query.getAll('scope').flatMap((scope) => scope.split(' '));
    this.#scopes.set(token, { scopes, until: Date.now() + expiresIn * 1000 });
    answer
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ token, expires_in: expiresIn }));
  }
}
