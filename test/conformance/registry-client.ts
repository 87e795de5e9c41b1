import { Readable } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** What goes along with a request. */
export interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Send the body without a length, in chunks of transfer coding. */
  readonly stream?: boolean;
}

/** An account to log in with. */
export interface Account {
  readonly username: string;
  readonly password: string;
}

/**
 * A client that sends what it is told and answers challenges as the usual clients do: once, with
 * a token for the scope of the challenge, which it keeps for requests of the same kind.
 */
export class RegistryClient implements AsyncDisposable {
  readonly #origin: string;
  readonly #account: Account | undefined;
  readonly #agent = new Agent();
  readonly #authorizations = new Map<string, string>();

  /** @param origin such as `http://127.0.0.1:5000` */
  constructor(origin: string, account?: Account) {
    this.#origin = origin;
    this.#account = account;
  }

  /** @param target a path, or a URL that a `Location` gave */
  async send(method: Dispatcher.HttpMethod, target: string, sent: Sent = {}): Promise<Answer> {
    const kind = `${repositoryOf(target)} ${kindOf(method)}`;
    const first = await this.#once(method, target, sent, this.#authorizations.get(kind));
    if (first.status !== 401) return first;
    const authorization = await this.#answer(first.headers['www-authenticate'] ?? '');
    if (authorization === undefined) return first;
    this.#authorizations.set(kind, authorization);
    return this.#once(method, target, sent, authorization);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.close();
  }

  async #once(
    method: Dispatcher.HttpMethod,
    target: string,
    { headers, body, stream = false }: Sent,
    authorization: string | undefined,
  ): Promise<Answer> {
    const answer = await request(new URL(target, this.#origin), {
      method,
      dispatcher: this.#agent,
      headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      ...(body && { body: stream ? Readable.from(pieces(body)) : body }),
    });
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(
        Object.entries(answer.headers).map(([name, value]) => [name, [value].flat().join(', ')]),
      ),
      body: Buffer.from(await answer.body.arrayBuffer()),
    };
  }

  /** What answers a challenge; undefined where there is nothing to answer with. */
  async #answer(challenge: string): Promise<string | undefined> {
    if (this.#account === undefined) return undefined;
    const { username, password } = this.#account;
    const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    if (!/^bearer /i.test(challenge)) return basic;
    const parameter = (name: string): string =>
      new RegExp(`\\b${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
    const url = new URL(parameter('realm'), this.#origin);
    for (const name of ['service', 'scope']) {
      const value = parameter(name);
      if (value !== '') url.searchParams.set(name, value);
    }
    const answer = await this.#once('GET', url.href, {}, basic);
    if (answer.status !== 200) return undefined;
    const { token } = JSON.parse(answer.body.toString()) as { token: string };
    return `Bearer ${token}`;
  }
}

/** The codes of an error's body (distribution specification, "Error Codes"). */
export function codesOf({ body }: Answer): string[] {
  const { errors } = JSON.parse(body.toString()) as { errors: { code: string }[] };
  return errors.map(({ code }) => code);
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

/** Clients keep one token for reading, one for writing and one for deleting a repository. */
function kindOf(method: string): string {
  return method === 'GET' || method === 'HEAD' ? 'pull' : method === 'DELETE' ? 'delete' : 'push';
}

function repositoryOf(target: string): string {
  return /\/v2\/(.+?)\/(?:blobs|manifests|tags|referrers)\//.exec(target)?.[1] ?? '';
}
