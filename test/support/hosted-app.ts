import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createApp } from '../../src/http/app.ts';
import type { RequestSummary } from '../../src/http/observer.ts';
import { HttpServer } from '../../src/http/server.ts';
import { BufferPool } from '../../src/lib/buffer-pool.ts';
import { splitDigest, type Digest } from '../../src/oci/digest.ts';
import { listRepositories } from '../../src/registry/list-repositories.ts';
import { Hosted } from '../../src/service/hosted.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { RouteTable } from '../../src/registry/resolve-route.ts';
import { Scrubbing } from '../../src/service/scrubbing.ts';
import { hostedNames } from '../../src/service/hosted-names.ts';
import type { Content, Image } from './images.ts';
import { createScaffold } from './scaffold.ts';
import { eitherContent } from '../../src/http/content.ts';
import { ReferrerListService } from '../../src/registry/list-referrers.ts';
import { TagListService } from '../../src/registry/list-tags.ts';
import { tempDir } from './temp-dir.ts';

/** What a client gets. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** The registry as the service builds it, with hosted repositories, on a loopback port. */
export type HostedApp = Awaited<ReturnType<typeof startHostedApp>>;

/**
 * Hosts `local/**` and `solo`; all else leads to the scaffold's upstreams.
 * @param hosted more of the configuration's `hosted`
 * @param timeouts of the server, in milliseconds
 */
export async function startHostedApp(
  hosted: object = {},
  { stallTimeout = 10_000, headersTimeout = 10_000 } = {},
) {
  const folder = tempDir('hosted');
  const scaffold = await createScaffold();
  const log: { readonly message: string; readonly fields: unknown }[] = [];
  const write = (message: string, fields?: unknown): void => void log.push({ message, fields });
  const logger: Logger = {
    error: write,
    warn: write,
    info: write,
    debug: write,
    child: () => logger,
  };
  const configOf = async (more: object): Promise<Config> => {
    const file = join(folder.path, 'config.yaml');
    const storage = { directory: join(folder.path, 'data') };
    const repositories = ['local/**', 'solo'];
    await writeFile(file, stringify({ storage, hosted: { repositories, ...more } }));
    return loadConfig({ file, env: {} });
  };
  const config = await configOf(hosted);
  const open = (): Promise<Hosted> =>
    Hosted.open({
      config,
      pool: new BufferPool(4 * 1024 * 1024),
      cached: scaffold,
      scrubbing: new Scrubbing(config),
      metrics: new Metrics('test'),
      logger,
      signal: new AbortController().signal,
    });
  const { catalog, manifests, blobs } = scaffold;
  const { signal } = new AbortController();
  const ended: RequestSummary[] = [];
  const failed: unknown[] = [];

  const listen = async (live: Hosted): Promise<HttpServer> => {
    const table = new RouteTable(scaffold.entries, 'docker.io', hostedNames(config));
    const app = createApp({
      table,
      content: eitherContent(
        {
          manifests,
          blobs,
          tags: new TagListService(catalog, signal),
          referrers: new ReferrerListService(catalog, manifests, signal),
        },
        live.content,
      ),
      changes: live.changes,
      listRepositories: (only) => listRepositories({ table, cached: catalog, hosted: live }, only),
      observer: {
        requestEnded: (summary) => void ended.push(summary),
        requestFailed: (_context, error) => void failed.push(error),
      },
    });
    const options = {
      host: '127.0.0.1',
      port: 0,
      headersTimeout,
      keepAliveTimeout: 5_000,
      stallTimeout,
      maxHeaderSize: 16_384,
    };
    return HttpServer.listen(app, options, (error) => void failed.push(error));
  };

  let live = await open();
  let server = await listen(live);
  const root = join(config.storage.directory, 'v1', 'hosted');

  const ask = async (
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: Buffer,
  ): Promise<Answer> => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method,
      headers,
      ...(body && { body: new Uint8Array(body) }),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, body: bytes };
  };
  /** Puts a blob where an upload would have put it. */
  const placeBlob = async (repository: string, { digest, bytes }: Content): Promise<void> => {
    const { algorithm, hex } = splitDigest(digest);
    const member = { mediaType: 'application/octet-stream', size: bytes.length };
    await place(join(root, 'blobs', algorithm, hex.slice(0, 2), hex), bytes);
    await place(recordOf(repository, '_blobs', digest), JSON.stringify(member));
  };
  /** The file of the record on a member of a hosted repository. */
  const recordOf = (repository: string, kind: '_blobs' | '_manifests', digest: Digest): string =>
    join(root, 'repositories', '_hosted', repository, kind, digest.replace(':', '/'));

  return {
    scaffold,
    log,
    ended,
    failed,
    /** `<data>/v1/hosted`. */
    root,
    recordOf,
    ask,
    placeBlob,
    get port() {
      return server.port;
    },
    get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
      return ask('GET', path, headers);
    },
    /** Puts a manifest under its type. */
    put(repository: string, reference: string, manifest: Content): Promise<Answer> {
      const headers = { 'content-type': manifest.mediaType };
      return ask('PUT', `/v2/${repository}/manifests/${reference}`, headers, manifest.bytes);
    },
    /** Everything that an image's manifest names, by its digest. */
    async placeParts(repository: string, image: Image): Promise<void> {
      for (const blob of image.blobs) await placeBlob(repository, blob);
      for (const child of image.children) {
        const { status } = await this.put(repository, child.digest, child);
        if (status !== 201) throw new Error(`a child was answered ${String(status)}`);
      }
    },
    /** Starts anew on the same folder: nothing is known but what is on the disk. */
    async restart(): Promise<void> {
      await server.drain(0);
      await live.close();
      live = await open();
      server = await listen(live);
    },
    /** As a reload does. */
    async configure(more: object): Promise<void> {
      live.prepare(await configOf(more))();
    },
    async dispose(): Promise<void> {
      await server.drain(0);
      await live.close();
      await scaffold.dispose();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function place(path: string, bytes: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

/** The code of an error's body. */
export function codeOf({ body }: Answer): string | undefined {
  const { errors } = JSON.parse(body.toString()) as { errors: { code: string }[] };
  return errors[0]?.code;
}

/** The message of an error's body. */
export function messageOf({ body }: Answer): string {
  const { errors } = JSON.parse(body.toString()) as { errors: { message: string }[] };
  return errors[0]?.message ?? '';
}
