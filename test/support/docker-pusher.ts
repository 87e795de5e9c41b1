import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Content, Image } from './images.ts';

/** An answer that is no success, or none at all (status 0). */
export class PushRefused extends Error {
  readonly status: number;
  readonly body: string;

  constructor(what: string, status: number, body: string) {
    super(`${what}: ${String(status)} ${body}`);
    this.status = status;
    this.body = body;
  }
}

export interface DockerPusherOptions {
  /** Where to push to. */
  readonly port: number;
  readonly repository: string;
  /** The repository that a layer is known to be in from an earlier push, to be mounted from. */
  readonly knownIn: (layer: Content) => string | undefined;
  /** Called with each answer. */
  readonly onAnswer: () => void;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Bytes of a layer that are sent in one go. */
const piece = 64 * 1024;

/**
 * Pushes as dockerd's classic store does (`docker push`): a ping; for each layer, three at a time,
 * HEAD, then a mount where the layer is known to be elsewhere, else one streamed PATCH without a
 * length, and PUT; the config likewise; then the manifest.
 */
export class DockerPusher implements Disposable {
  readonly #options: DockerPusherOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(options: DockerPusherOptions) {
    this.#options = options;
  }

  /** @throws PushRefused */
  async blobs({ blobs: [config, ...layers] }: Image): Promise<void> {
    await this.#expect('GET', '/v2/', [200]);
    const rest = layers.values();
    const worker = async (): Promise<void> => {
      for (const layer of rest) await this.#blob(layer);
    };
    await Promise.all([worker(), worker(), worker()]);
    if (config !== undefined) await this.#blob(config);
  }

  /** @throws PushRefused */
  async manifest(tag: string, { mediaType, bytes, digest }: Content): Promise<void> {
    const path = `/v2/${this.#options.repository}/manifests/${tag}`;
    const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) };
    const answer = await this.#expect('PUT', path, [201], headers, [bytes]);
    if (answer.headers['docker-content-digest'] === digest) return;
    throw new PushRefused(
      'the digest of the manifest',
      answer.status,
      JSON.stringify(answer.headers),
    );
  }

  async #blob(blob: Content): Promise<void> {
    const { repository, knownIn } = this.#options;
    const base = `/v2/${repository}/blobs`;
    const found = await this.#expect('HEAD', `${base}/${blob.digest}`, [200, 404]);
    if (found.status === 200) return;
    const from = knownIn(blob);
    const mount =
      from === undefined ? '' : `?mount=${blob.digest}&from=${encodeURIComponent(from)}`;
    const started = await this.#expect('POST', `${base}/uploads/${mount}`, [201, 202], {
      'content-length': '0',
    });
    if (started.status === 201) return;
    const patched = await this.#expect('PATCH', placeOf(started), [202], {}, piecesOf(blob.bytes));
    const end = new URL(placeOf(patched), 'http://localhost');
    end.searchParams.set('digest', blob.digest);
    await this.#expect('PUT', `${end.pathname}${end.search}`, [201], { 'content-length': '0' });
  }

  async #expect(
    method: string,
    path: string,
    statuses: readonly number[],
    headers: Readonly<Record<string, string>> = {},
    body: Iterable<Buffer> = [],
  ): Promise<Answer> {
    const what = `${method} ${path}`;
    const answer = await this.#send(method, path, headers, body).catch((error: unknown) => {
      throw new PushRefused(what, 0, String(error));
    });
    this.#options.onAnswer();
    if (statuses.includes(answer.status)) return answer;
    throw new PushRefused(what, answer.status, answer.body);
  }

  async #send(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Iterable<Buffer>,
  ): Promise<Answer> {
    const { port } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const outgoing = request(
      { host: '127.0.0.1', port, method, path, headers, agent: this.#agent },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (part: string) => (text += part));
        incoming.on('error', reject);
        incoming.once('end', () => {
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text });
        });
      },
    );
    outgoing.on('error', reject);
    // A server that refuses a body early answers while the body is still on its way.
    pipeline(Readable.from(body), outgoing).catch(() => undefined);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function placeOf({ headers }: Answer): string {
  const { location } = headers;
  if (location === undefined) throw new PushRefused('Location', 0, 'is missing');
  return location;
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}
