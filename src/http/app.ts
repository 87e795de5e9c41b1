import express, { type Express, type Request, type RequestHandler } from 'express';
import type { Route, RouteTable } from '../registry/resolve-route.ts';
import type { Accounts } from './accounts.ts';
import { getBase, getWelcome } from './base.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import type { Changes, Content } from './content.ts';
import { errorHandler, notFound, onlyFor } from './error-handler.ts';
import { demandProof, identify } from './identify.ts';
import { getCatalog, getReferrers, getTags } from './lists.ts';
import { deleteManifest, getManifest, putManifest, type Hold } from './manifests.ts';
import type { HttpObserver } from './observer.ts';
import { deleteUpload, getUpload, patchUpload, postUpload, putUpload } from './uploads.ts';
import { Doors, type Guard } from './registry-request.ts';
import { RequestContext, requestId, type ContextResponse } from './request-context.ts';
import { getSearch, getV1Ping } from './search.ts';
import { arrivalOf, factsOf } from './request-facts.ts';
import { createTokenEndpoint } from './token.ts';

export interface AppOptions {
  readonly table: RouteTable;
  readonly content: Content<Route>;
  /** Left out where nothing can be pushed. */
  readonly changes?: Changes | undefined;
  /** Left out where there are none. */
  readonly accounts?: Accounts | undefined;
  /** Left out where everybody may do everything. */
  readonly guard?: Guard | undefined;
  /** Left out where nothing is ever held back. */
  readonly hold?: Hold | undefined;
  /** Names what is cached; limited to one upstream where one is given. */
  readonly listRepositories: (only: string | undefined) => Promise<string[]>;
  readonly observer: HttpObserver;
}

/** The registry API. `get` serves HEAD too. */
export function createApp(options: AppOptions): Express {
  const { table, content, changes, accounts, observer } = options;
  const doors = new Doors(table, options.guard);
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  // Should writing an error fail: its stack is nobody's business.
  app.set('env', 'production');
  // Where there are rules, who is refused does not learn here which upstreams there are.
  const isPrefix = doors.isGuarded ? () => true : (name: string) => table.isUpstream(name);
  app.use(begin(isPrefix, observer));
  if (accounts !== undefined) app.use(identify(accounts));
  // What is asked for most comes first: every route in front costs each request a match.
  const manifests = app.route('/v2/*name/manifests/:reference');
  manifests.get(getManifest(doors, content.manifests, options.hold));
  if (changes !== undefined) {
    manifests.put(putManifest(doors, changes));
    manifests.delete(deleteManifest(doors, changes));
  }
  manifests.all(onlyFor('GET, HEAD, PUT, DELETE'));
  const blob = '/v2/*name/blobs/:digest';
  app.get(blob, getBlob(doors, content.blobs));
  if (changes !== undefined) app.delete(blob, deleteBlob(doors, changes));
  if (accounts !== undefined) app.get('/v2', demandProof);
  const pull = {
    '/v2': getBase,
    '/v2/_catalog': getCatalog(doors, options.listRepositories),
    '/v2/*name/tags/list': getTags(doors, content.tags),
    '/v2/*name/referrers/:digest': getReferrers(doors, content.referrers),
    '/v1/_ping': getV1Ping,
    '/v1/search': getSearch(doors, options.listRepositories),
    '/': getWelcome,
  };
  for (const [path, handler] of Object.entries(pull)) {
    app.route(path).get(handler).all(onlyFor('GET, HEAD'));
  }
  if (changes !== undefined) addUploads(app, doors, changes);
  // Not in front of a POST to `blobs/uploads`.
  app.all(blob, onlyFor('GET, HEAD, DELETE'));
  if (accounts !== undefined) app.use(createTokenEndpoint(accounts));
  app.use(notFound);
  app.use(errorHandler(observer, accounts));
  return app;
}

function addUploads(app: Express, doors: Doors, changes: Changes): void {
  const session = '/v2/*name/blobs/uploads/:upload';
  app.post('/v2/*name/blobs/uploads', postUpload(doors, changes));
  app.get(session, getUpload(doors, changes));
  app.patch(session, patchUpload(doors, changes));
  app.put(session, putUpload(doors, changes));
  app.delete(session, deleteUpload(doors, changes));
  app.all(session, onlyFor('GET, HEAD, PATCH, PUT, DELETE'));
}

/** Gives each request its context, and reports it when its answer is out or its client gone. */
function begin(isPrefix: (name: string) => boolean, observer: HttpObserver): RequestHandler {
  return (request, response, next) => {
    const context = new RequestContext(requestId(request), arrivalOf(request).at);
    (response as unknown as ContextResponse).locals.context = context;
    // While there is a socket that tells it.
    const { method, path, remote, userAgent, host, scheme } = factsOf(request);
    const report = (): void => {
      // Without a complete answer there may be no status that anybody saw: nginx's 499.
      const isComplete = context.complete && response.writableFinished;
      context.complete = isComplete;
      observer.requestEnded({
        context,
        method,
        path,
        status: response.headersSent ? response.statusCode : 499,
        remote,
        userAgent,
        host,
        scheme,
        durationMs: performance.now() - context.startedAt,
      });
    };
    if (response.destroyed) {
      // Its client has left while it waited for its turn: nothing else would tell of it.
      report();
      return;
    }
    response.once('close', report);
    if (!path.startsWith('/v2')) takePrefix(request, context, isPrefix);
    next();
  };
}

/**
 * `/<upstream>/v2/…` means `/v2/<upstream>/…`: containerd appends `/v2/` to the path of a host
 * that is configured without `override_path`.
 */
function takePrefix(
  request: Request,
  context: RequestContext,
  isPrefix: (name: string) => boolean,
): void {
  const [, prefix, rest] = /^\/([^/?]+)(\/v2(?:[/?].*)?)$/.exec(request.url) ?? [];
  if (prefix === undefined || rest === undefined || !isPrefix(prefix)) return;
  context.pathPrefix = prefix;
  request.url = rest;
}
