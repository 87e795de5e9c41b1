import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';
import type { Config } from '../config/config.ts';
import { formatListen, isWildcard } from '../config/listen.ts';
import { folderId, type About } from '../service/about.ts';
import { CommandFailure } from './context.ts';

/** How long a running Baleen may take to say that it is there, in milliseconds. */
const patience = 3_000;

/**
 * How long it may then say nothing, in milliseconds. What takes longer than a moment streams what
 * it is doing.
 */
const silence = 600_000;

/**
 * The commands' way to the Baleen that is running with the same configuration, through its
 * operations port: what it remembers then stays in step with what they change.
 */
export class OperationsClient implements AsyncDisposable {
  readonly about: About;
  readonly #origin: string;
  readonly #agent: Agent;

  private constructor(origin: string, agent: Agent, about: About) {
    this.#origin = origin;
    this.#agent = agent;
    this.about = about;
  }

  /** Finds the Baleen that runs with this data directory; undefined where none answers. */
  static async find({ operations, storage }: Config): Promise<OperationsClient | undefined> {
    const { listen } = operations;
    if (listen === undefined) return undefined;
    const host = isWildcard(listen) ? (listen.host === '::' ? '::1' : '127.0.0.1') : listen.host;
    const origin = `http://${formatListen({ ...listen, host })}`;
    // Its own agent: what HTTP_PROXY says is not meant for this.
    const agent = new Agent({
      headersTimeout: silence,
      bodyTimeout: silence,
      connect: { timeout: patience },
    });
    const found = await aboutOf(origin, agent);
    const folder = await folderId(storage.directory);
    // Whatever else answers there knows nothing of this folder, which may not even be there.
    if (folder !== undefined && found?.folder === folder) {
      return new OperationsClient(origin, agent, found);
    }
    await agent.destroy();
    return undefined;
  }

  /** Asks for a document. */
  async get(name: string): Promise<unknown> {
    const { body } = await this.#request('GET', name);
    return body.json().catch(goneAway);
  }

  /** Has something done, and gives the answer. */
  async post(name: string, parameters: object = {}): Promise<unknown> {
    const { body } = await this.#request('POST', name, parameters);
    return body.json().catch(goneAway);
  }

  /** Has something done, and gives what it tells meanwhile, and at the end. */
  async *stream(name: string, parameters: object = {}): AsyncGenerator<unknown, void, undefined> {
    const { body } = await this.#request('POST', name, parameters);
    yield* documentsOf(body);
  }

  /** Asks for a list, of which each document comes by itself. */
  async *list(name: string): AsyncGenerator<unknown, void, undefined> {
    const { body } = await this.#request('GET', name);
    yield* documentsOf(body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #request(
    method: 'GET' | 'POST',
    name: string,
    parameters?: object,
  ): Promise<Dispatcher.ResponseData> {
    const body = parameters && JSON.stringify(parameters);
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const url = `${this.#origin}/api/${name}`;
    const options = { dispatcher: this.#agent, method, headers };
    const answer = await request(url, body === undefined ? options : { ...options, body }).catch(
      goneAway,
    );
    if (answer.statusCode === 200) return answer;
    const text = await answer.body.text().catch(goneAway);
    throwIfError(safeParse(text));
    throw new CommandFailure(`the running Baleen answered ${answer.statusCode}: ${text}`);
  }
}

/** One document a line. */
async function* documentsOf(body: Readable): AsyncGenerator<unknown, void, undefined> {
  const lines = createInterface({ input: body })[Symbol.asyncIterator]();
  for (;;) {
    const { done, value: line } = await lines.next().catch(goneAway);
    if (done === true) return;
    const document = safeParse(line);
    // What was cut off is no JSON.
    if (document === undefined) goneAway(undefined);
    throwIfError(document);
    yield document;
  }
}

async function aboutOf(origin: string, dispatcher: Agent): Promise<About | null | undefined> {
  try {
    const signal = AbortSignal.timeout(patience);
    const answer = await request(`${origin}/api/about`, { dispatcher, signal });
    return (await answer.body.json()) as About | null;
  } catch {
    return undefined;
  }
}

/** An error in the registry's form ends the command with its message. */
function throwIfError(document: unknown): void {
  const { errors } = (document ?? {}) as { errors?: readonly { message?: unknown }[] };
  if (Array.isArray(errors)) {
    throw new CommandFailure(errors.map(({ message }) => String(message)).join('; '));
  }
}

/** The connection broke: how far it has come is for the log of the other one to say. */
function goneAway(cause: unknown): never {
  throw new CommandFailure('the running Baleen went away before it was done; see its log', {
    cause,
  });
}

function safeParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
