import type { RequestListener } from 'node:http';
import { createApp } from '../../src/http/app.ts';
import type { RequestSummary } from '../../src/http/observer.ts';
import { eitherContent, type Content } from '../../src/http/content.ts';
import type { Guard } from '../../src/http/registry-request.ts';
import { HttpServer } from '../../src/http/server.ts';
import { ReferrerListService } from '../../src/registry/list-referrers.ts';
import { listRepositories } from '../../src/registry/list-repositories.ts';
import { TagListService } from '../../src/registry/list-tags.ts';
import type { Route } from '../../src/registry/resolve-route.ts';
import type { FreshnessPolicy } from '../../src/registry/remote.ts';
import { createHostedScaffold, type HostedScaffoldOptions } from './hosted.ts';
import { createScaffold } from './scaffold.ts';

/** The HTTP API on a loopback port, over the scaffolds' use cases; `local/…` is hosted. */
export type RegistryApp = Awaited<ReturnType<typeof startRegistryApp>>;

export async function startRegistryApp(
  policy: Partial<FreshnessPolicy> = {},
  { guard, ...options }: Omit<HostedScaffoldOptions, 'cached'> & { readonly guard?: Guard } = {},
) {
  const scaffold = await createScaffold(policy);
  const { data, catalog, layout, store, table, manifests, blobs } = scaffold;
  const cached = { layout, store, catalog };
  const hosted = await createHostedScaffold(data, { ...options, cached });
  const { signal } = new AbortController();
  const ended: RequestSummary[] = [];
  const failed: unknown[] = [];
  const app = createApp({
    table,
    content: eitherContent(
      {
        manifests,
        blobs,
        tags: new TagListService(catalog, signal),
        referrers: new ReferrerListService(catalog, manifests, signal),
      },
      hosted.content,
    ),
    changes: hosted,
    guard,
    listRepositories: (only) =>
      listRepositories({ table, cached: catalog, hosted: hosted.catalog }, only),
    observer: {
      // As it is at this moment: later is too late for whoever logs and counts.
      requestEnded: (summary) => {
        const { context } = summary;
        const asOfNow = Object.assign(Object.create(null) as typeof context, context);
        ended.push({ ...summary, context: asOfNow });
      },
      requestFailed: (_context, error) => void failed.push(error),
    },
  });
  const server = await HttpServer.listen(
    app,
    {
      host: '127.0.0.1',
      port: 0,
      headersTimeout: 1_000,
      keepAliveTimeout: 5_000,
      stallTimeout: 10_000,
      maxHeaderSize: 8_192,
    },
    (error) => void failed.push(error),
  );
  return {
    ...scaffold,
    hosted,
    server,
    /** What answers a request, without the server in front. */
    listener: app as RequestListener,
    ended,
    failed,
    url: `http://127.0.0.1:${server.port}`,
    async dispose() {
      await server.drain(0);
      await hosted.close();
      await scaffold.dispose();
    },
  };
}

/** No route leads there. */
const unreachable = (): never => {
  throw new Error('nothing is there');
};

/** For tests in which nobody gets so far as to pull. */
export const nothingThere: Content<Route> = {
  manifests: { get: unreachable },
  blobs: { open: unreachable, stat: unreachable, contentFailed: unreachable },
  tags: { list: unreachable },
  referrers: { list: unreachable },
};
