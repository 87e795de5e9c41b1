import { once } from 'node:events';
import express, {
  Router,
  type ErrorRequestHandler,
  type RequestHandler,
  type Response,
} from 'express';
import { RegistryError, toRegistryError } from '../oci/errors.ts';
import { refuseForeign, type KnownHosts } from './operations-origin.ts';

/**
 * One thing that the operations API tells or does. It gives a document, or a stream of documents
 * (progress, then the result), of which each goes out as a line of JSON as soon as it is there.
 * @param parameters the body of a POST, or the query of a GET, where each is text
 * @param signal aborted when the client leaves: who waits no longer wants no more work done
 * @throws RegistryError
 */
export type ApiAction = (
  parameters: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
) => Promise<unknown> | AsyncIterable<unknown>;

/** What the API offers under `/api/`, by name. */
export interface OperationsApi {
  /** `GET /api/<name>`: changes nothing. */
  readonly tells: Readonly<Record<string, ApiAction>>;
  /** `POST /api/<name>` with JSON. */
  readonly does: Readonly<Record<string, ApiAction>>;
}

export interface OperationsApiOptions extends OperationsApi {
  /** Besides addresses and `localhost`, the names by which a Host header may call this server. */
  readonly hosts: KnownHosts;
  readonly observer: OperationsObserver;
  /** The service stops: a client that takes nothing of what it is told is waited for no longer. */
  readonly stopping: AbortSignal;
}

/** Told of what operators ask for; for the log. */
export interface OperationsObserver {
  /** A POST has ended; with an error where it failed. */
  operationEnded(name: string, seconds: number, error: RegistryError | undefined): void;
}

/** Bytes of a POST's body: room for as many images by digest as one run warms. */
const maxBody = 4 * 1024 * 1024;

/** The part of the operations API that speaks JSON, to be hung in at `/api`. */
export function createOperationsApi(options: OperationsApiOptions): Router {
  const { tells, does, hosts, observer, stopping } = options;
  const router = Router({ caseSensitive: true });
  router.use(refuseForeign(hosts));
  router.use(express.json({ limit: maxBody, type: isJson }));
  for (const [name, action] of Object.entries(tells)) {
    router.get(`/${name}`, async (request, response) => {
      const query = request.originalUrl.split('?', 2)[1];
      await answer(response, action, Object.fromEntries(new URLSearchParams(query)), stopping);
    });
  }
  for (const [name, action] of Object.entries(does)) {
    router.post(`/${name}`, async (request, response) => {
      // A page in a browser can send a form or plain text anywhere; JSON it cannot.
      if (!isJson(request)) throw new RegistryError('REQUEST_INVALID', 'send application/json');
      const started = performance.now();
      const ended = (error?: RegistryError): void =>
        observer.operationEnded(name, (performance.now() - started) / 1000, error);
      try {
        await answer(response, action, parametersOf(request.body), stopping);
        ended();
      } catch (error) {
        ended(toRegistryError(error));
        throw error;
      }
    });
  }
  router.use(notOffered({ tells, does }));
  router.use(sendError);
  return router;
}

async function answer(
  response: Response,
  action: ApiAction,
  parameters: Readonly<Record<string, unknown>>,
  stopping: AbortSignal,
): Promise<void> {
  const left = new AbortController();
  response.once('close', () => left.abort());
  try {
    const result = action(parameters, left.signal);
    if (isStream(result)) await stream(response, result, left.signal, stopping);
    else response.json(await result);
  } catch (error) {
    if (!left.signal.aborted) throw error;
    throw new RegistryError('UNAVAILABLE', 'the client left before the end', { cause: error });
  }
}

async function stream(
  response: Response,
  documents: AsyncIterable<unknown>,
  signal: AbortSignal,
  stopping: AbortSignal,
): Promise<void> {
  const either = AbortSignal.any([signal, stopping]);
  for await (const document of documents) {
    signal.throwIfAborted();
    // Not before the first: what is refused at once still gets an honest status.
    if (!response.headersSent) response.type('application/x-ndjson');
    const isTaken = response.write(`${JSON.stringify(document)}\n`);
    if (!isTaken) await once(response, 'drain', { signal: either });
  }
  response.end();
}

function isStream(
  result: Promise<unknown> | AsyncIterable<unknown>,
): result is AsyncIterable<unknown> {
  return Symbol.asyncIterator in result;
}

function isJson({ headers }: { headers: { 'content-type'?: string | undefined } }): boolean {
  return /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');
}

function parametersOf(body: unknown): Readonly<Record<string, unknown>> {
  if (body === undefined) return {};
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) {
    return body as Record<string, unknown>;
  }
  throw new RegistryError('REQUEST_INVALID', 'the body has to be a JSON object');
}

function notOffered({ tells, does }: OperationsApi): RequestHandler {
  return (request, response) => {
    const name = request.path.slice(1);
    const allowed = [
      ...(Object.hasOwn(tells, name) ? ['GET', 'HEAD'] : []),
      ...(Object.hasOwn(does, name) ? ['POST'] : []),
    ];
    if (allowed.length === 0) {
      throw new RegistryError('NAME_UNKNOWN', 'the operations API offers nothing of this name', {
        detail: { GET: Object.keys(tells), POST: Object.keys(does) },
      });
    }
    response.set('Allow', allowed.join(', '));
    throw new RegistryError('UNSUPPORTED', `use ${allowed.join(' or ')}`);
  };
}

/** The error form of the registry API. In a stream that has begun, the error is its last line. */
const sendError: ErrorRequestHandler = (thrown: unknown, _request, response, _next) => {
  const { error, status } = describe(thrown);
  if (response.headersSent) {
    response.end(`${JSON.stringify(error)}\n`);
    return;
  }
  if (error.retryAfter !== undefined) response.set('Retry-After', String(error.retryAfter));
  response.status(status).json(error);
};

/** What Express's body reader throws knows its own status: 413, or 400 for what is no JSON. */
function describe(thrown: unknown): { error: RegistryError; status: number } {
  const { status, expose } = thrown as { status?: unknown; expose?: unknown };
  if (thrown instanceof Error && typeof status === 'number' && expose === true) {
    const error = new RegistryError('REQUEST_INVALID', thrown.message, { cause: thrown });
    return { error, status };
  }
  const error = toRegistryError(thrown);
  return { error, status: error.status };
}
