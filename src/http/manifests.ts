import type { Request, RequestHandler } from 'express';
import { parseReference } from '../oci/reference.ts';
import type { Route } from '../registry/resolve-route.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import type { Content } from './content.ts';
import { endTogether } from './end-together.ts';
import { commonHeaders, isNotModified } from './headers.ts';
import { parameterOf, type Doors } from './registry-request.ts';
import type { ContextResponse, RequestContext } from './request-context.ts';

/** Holds back images that nobody has judged yet. */
export interface Hold {
  /**
   * Lets a manifest go out.
   * @throws RegistryError DENIED, with the reason
   */
  admit(context: RequestContext, route: Route, manifest: StoredManifest): void;
}

/**
 * `GET` and `HEAD /v2/<name>/manifests/<reference>` (distribution specification, "Pulling
 * manifests"). The whole body in one write; a `Range`, as containerd sends with everything, may
 * be ignored and is.
 */
export function getManifest(
  doors: Doors,
  manifests: Content<Route>['manifests'],
  hold?: Hold,
): RequestHandler {
  return async (request: Request, response) => {
    const { context } = (response as unknown as ContextResponse).locals;
    context.reference = parameterOf(request, 'reference');
    const route = doors.enter(request, context, 'pull');
    const answer = await manifests.get(route, parseReference(context.reference));
    context.outcome = answer.outcome;
    // HEAD gives nothing to run; and to containerd, which asks before it pushes, all but 200 and 404
    // is a failure.
    if (hold !== undefined && request.method !== 'HEAD') hold.admit(context, route, answer);
    context.manifest = answer;
    const etag = `"${answer.digest}"`;
    const headers = commonHeaders(request, context);
    headers['Docker-Content-Digest'] = answer.digest;
    headers['ETag'] = etag;
    if (isNotModified(request, etag)) {
      endTogether(response.writeHead(304, headers));
      return;
    }
    // Clients compare the type with the stored one: no charset may be appended.
    headers['Content-Type'] = answer.mediaType;
    headers['Content-Length'] = answer.bytes.length;
    response.writeHead(200, headers);
    if (request.method === 'HEAD') {
      endTogether(response);
      return;
    }
    context.bytes = answer.bytes.length;
    endTogether(response, answer.bytes);
  };
}
