import type { Request, RequestHandler } from 'express';
import { RegistryError } from '../oci/errors.ts';
import { maxManifestSize } from '../oci/manifest.ts';
import { isTag, parseReference, type Tag } from '../oci/reference.ts';
import type { Route } from '../registry/resolve-route.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import { announce } from './announce.ts';
import { setAwaitingContent } from './awaiting-content.ts';
import type { Changes, Content } from './content.ts';
import { endTogether } from './end-together.ts';
import { commonHeaders, isNotModified } from './headers.ts';
import { handleHosted } from './hosted-route.ts';
import { readBody } from './read-body.ts';
import { parameterOf, valuesOf, type Doors } from './registry-request.ts';
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

/** The most tags that one push may set; each is a file that is synced. */
const maxTags = 100;

/**
 * `PUT /v2/<name>/manifests/<reference>`, by its digest also with `?tag=<tag>&tag=…` (distribution
 * specification, "Pushing Manifests").
 */
export function putManifest(doors: Doors, { manifests, observer }: Changes): RequestHandler {
  return handleHosted(doors, 'push', async (call) => {
    const { request, response, context, route } = call;
    context.reference = parameterOf(request, 'reference');
    const reference = parseReference(context.reference);
    const tags = isTag(reference) ? [] : tagsOf(request);
    // Until it is there, the client is to keep the connection moving.
    setAwaitingContent(request.socket, false);
    const bytes = await readBody(request, maxManifestSize);
    setAwaitingContent(request.socket, true);
    context.received = bytes.length;
    const contentType = request.headers['content-type'];
    const pushed = await manifests.put(route, { reference, tags, contentType, bytes });
    const { digest, mediaType, subject } = pushed;
    const named = isTag(reference) ? [reference] : tags;
    const change = { action: 'push', kind: 'manifest', digest, mediaType, bytes } as const;
    await Promise.all(
      (named.length === 0 ? [undefined] : named).map((tag) =>
        announce(observer, call, { ...change, tag }),
      ),
    );
    response.writeHead(201, {
      ...commonHeaders(request, context),
      Location: `/v2/${route.repository}/manifests/${digest}`,
      'Docker-Content-Digest': digest,
      ...(subject !== undefined && { 'OCI-Subject': subject }),
      ...(tags.length > 0 && { 'OCI-Tag': tags }),
      'Content-Length': 0,
    });
    response.end();
  });
}

/** `DELETE /v2/<name>/manifests/<reference>` (distribution specification, "Content Management"). */
export function deleteManifest(doors: Doors, { manifests, observer }: Changes): RequestHandler {
  return handleHosted(doors, 'delete', async (call) => {
    const { request, response, context, route } = call;
    context.reference = parameterOf(request, 'reference');
    // Where deletes are off.
    context.allow = 'GET, HEAD, PUT';
    const reference = parseReference(context.reference);
    await manifests.delete(route, reference);
    const named = isTag(reference)
      ? { digest: undefined, tag: reference }
      : { digest: reference, tag: undefined };
    await announce(observer, call, { action: 'delete', kind: 'manifest', ...named });
    response.writeHead(202, { ...commonHeaders(request, context), 'Content-Length': 0 });
    response.end();
  });
}

/** @throws RegistryError TAG_INVALID */
function tagsOf(request: Request): Tag[] {
  const tags = [...new Set(valuesOf(request, 'tag'))];
  const wrong = tags.find((tag) => !isTag(tag));
  if (wrong !== undefined) {
    throw new RegistryError('TAG_INVALID', undefined, { detail: { tag: wrong.slice(0, 200) } });
  }
  if (tags.length > maxTags) {
    throw new RegistryError('TAG_INVALID', `at most ${maxTags} tags can be set at once`);
  }
  return tags as Tag[];
}
