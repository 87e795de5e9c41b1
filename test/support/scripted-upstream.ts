import type { ServerResponse } from 'node:http';
import type { Image } from './images.ts';
import type { RequestKind } from './request-kind.ts';
import { Cdn, type CdnOptions } from './scripted/cdn.ts';
import { FaultScript, interfere, type FaultRule } from './scripted/fault.ts';
import { LoopbackServer, type SeenRequest } from './scripted/loopback-server.ts';
import {
  answerBlob,
  answerManifest,
  answerReferrers,
  answerTags,
  sendError,
  sendJson,
  type Routed,
} from './scripted/registry-routes.ts';
import { Repositories } from './scripted/repositories.ts';
import { TokenServer, type TokenOptions } from './scripted/token-server.ts';

/** What can be scripted of the registry as a whole; single answers are scripted by faults. */
export interface ScriptedOptions {
  /** Bearer tokens from a server on its own origin are demanded. */
  readonly token?: TokenOptions;
  /** `user:password`, or several of them, demanded by Basic authentication. */
  readonly basic?: string | readonly string[];
  /** Blobs are answered with 307 to another origin. */
  readonly cdn?: CdnOptions;
  /** Whether ETag is sent and If-Range honoured; true. */
  readonly etag?: boolean;
  /** Whether there is a referrers API; true. */
  readonly referrers?: boolean;
  /** Entries a page of tags or referrers; all. */
  readonly pageSize?: number;
  /** HEAD of a blob is answered with this status. */
  readonly refuseBlobHead?: number;
  /** Bytes a second of each body. */
  rate?: number;
}

/**
 * A registry on loopback that holds what a test gives it and misbehaves as the test scripts it.
 * Everything it and its token server and CDN are asked is on record.
 */
export class ScriptedUpstream implements AsyncDisposable {
  readonly options: ScriptedOptions;
  readonly server: LoopbackServer;
  readonly repositories = new Repositories();
  readonly faults = new FaultScript();
  readonly tokens: TokenServer | undefined;
  readonly cdn: Cdn | undefined;
  readonly #challenged = new WeakSet<SeenRequest>();

  private constructor(options: ScriptedOptions) {
    this.options = options;
    this.server = new LoopbackServer((seen, answer) => this.#answer(seen, answer));
    this.tokens = options.token && new TokenServer(options.token);
    this.cdn = options.cdn && new Cdn(options.cdn, this.faults, () => this.#sendOptions());
  }

  static async start(options: ScriptedOptions = {}): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream(options);
    await upstream.start();
    return upstream;
  }

  get url(): string {
    return this.server.origin;
  }

  /** Puts an image into a repository; see {@link Repositories.add}. */
  add(repository: string, tag: string | undefined, image: Image): void {
    this.repositories.add(repository, tag, image);
  }

  /** Scripts what goes wrong; rules are tried in the order of scripting. */
  fault(rule: FaultRule): void {
    this.faults.add(rule);
  }

  /**
   * Requests of a kind that got past authentication, of the registry or its CDN, narrowed to
   * those whose URL holds a digest or another text.
   */
  requests(kind: RequestKind, about = ''): SeenRequest[] {
    const all = [
      ...this.server.requests,
      ...(this.cdn?.requests ?? []),
      ...(this.tokens?.requests ?? []),
    ];
    return all.filter(
      (seen) => seen.kind === kind && seen.url.includes(about) && !this.#challenged.has(seen),
    );
  }

  /** How many of them. */
  count(kind: RequestKind, about = ''): number {
    return this.requests(kind, about).length;
  }

  /** Every request of any kind, to the registry, its token server and its CDN. */
  get total(): number {
    return (
      this.server.requests.length +
      (this.cdn?.requests.length ?? 0) +
      (this.tokens?.requests.length ?? 0)
    );
  }

  /** Starts counting anew. */
  forget(): void {
    for (const server of this.#servers()) server.forget();
  }

  /** Starts again on the same port. */
  async start(): Promise<void> {
    await Promise.all(this.#servers().map((server) => server.start()));
  }

  /** The whole of it goes away: connections are broken, and refused from now on. */
  async stop(): Promise<void> {
    await Promise.all(this.#servers().map((server) => server.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #servers(): LoopbackServer[] {
    return [this.server, this.cdn?.server, this.tokens?.server].filter(
      (server) => server !== undefined,
    );
  }

  #sendOptions(): { etag: boolean; rate: number | undefined } {
    return { etag: this.options.etag ?? true, rate: this.options.rate };
  }

  async #answer(seen: SeenRequest, answer: ServerResponse): Promise<void> {
    const route = /^\/v2\/(?:(.+)\/(manifests|blobs|tags|referrers)\/([^/]+))?$/.exec(seen.path);
    const [, name, noun, reference = ''] = route ?? [];
    const challenge = this.#challenge(seen.headers.authorization, name);
    if (challenge !== undefined) {
      this.#challenged.add(seen);
      answer.setHeader('www-authenticate', challenge);
      sendError(answer, 401, 'UNAUTHORIZED');
      return;
    }
    const fault = this.faults.next(seen);
    if (await interfere(answer, fault)) return;
    const repository = this.repositories.get(name ?? '');
    if (route === null) sendError(answer, 404, 'UNSUPPORTED');
    else if (name === undefined) sendJson(answer, {});
    else if (repository === undefined) sendError(answer, 404, 'NAME_UNKNOWN');
    else {
      const routed = { seen, answer, repository, fault, send: this.#sendOptions() };
      await this.#dispatch(routed, noun, reference);
    }
  }

  async #dispatch(routed: Routed, noun: string | undefined, reference: string): Promise<void> {
    const { pageSize = Infinity, referrers, refuseBlobHead } = this.options;
    if (noun === 'manifests') await answerManifest(routed, reference);
    else if (noun === 'blobs') {
      await answerBlob(routed, reference, { cdn: this.cdn, refuseHead: refuseBlobHead });
    } else if (noun === 'tags') answerTags(routed, pageSize);
    else if (referrers === false) sendError(routed.answer, 404, 'NAME_UNKNOWN');
    else answerReferrers(routed, reference, pageSize);
  }

  #challenge(authorization: string | undefined, name: string | undefined): string | undefined {
    const { basic } = this.options;
    if (basic !== undefined) {
      const given = Buffer.from(authorization?.replace(/^Basic /, '') ?? '', 'base64').toString();
      return [basic].flat().includes(given) ? undefined : 'Basic realm="Reef"';
    }
    if (this.tokens === undefined || this.tokens.allows(authorization, name)) return undefined;
    return this.tokens.challenge(name);
  }
}
