import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Request, RequestHandler } from 'express';
import { decideRange } from '../oci/byte-range.ts';
import { parseDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Route } from '../registry/resolve-route.ts';
import type { BlobReader } from '../store/blob-reader.ts';
import { announce } from './announce.ts';
import type { Changes, Content } from './content.ts';
import { commonHeaders, isNotModified } from './headers.ts';
import { handleHosted } from './hosted-route.ts';
import { multipart } from './multipart.ts';
import { parameterOf, type Doors } from './registry-request.ts';
import type { ContextResponse, RequestContext } from './request-context.ts';
import { sendContent, type Segment } from './send-content.ts';

/** What is answered: status, headers and the parts of the body. */
interface Plan {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly segments: readonly Segment[];
}

/** `GET` and `HEAD /v2/<name>/blobs/<digest>` (distribution specification, "Pulling blobs"). */
export function getBlob(doors: Doors, blobs: Content<Route>['blobs']): RequestHandler {
  const head = async (request: Request, context: RequestContext, route: Route, digest: Digest) => {
    const { size, outcome } = await blobs.stat(route, digest);
    context.outcome = outcome;
    const headers = { ...commonHeaders(request, context), ...blobHeaders(digest) };
    if (size !== undefined) headers['Content-Length'] = size;
    return headers;
  };

  return async (request, response) => {
    const { context } = (response as unknown as ContextResponse).locals;
    context.reference = parameterOf(request, 'digest');
    const route = doors.enter(request, context, 'pull');
    const digest = parseDigest(context.reference);
    if (request.method === 'HEAD') {
      response.writeHead(200, await head(request, context, route, digest)).end();
      return;
    }
    const { reader, outcome } = await blobs.open(route, digest);
    context.outcome = outcome;
    context.blob = digest;
    let plan: Plan;
    try {
      plan = planAnswer(request, digest, reader);
    } catch (error) {
      reader.close();
      throw error;
    }
    response.writeHead(plan.status, { ...commonHeaders(request, context), ...plan.headers });
    const failure = await send(response, reader, plan.segments, context);
    if (failure === undefined) return;
    blobs.contentFailed(route, digest, reader, failure);
    throw failure;
  };
}

/** `DELETE /v2/<name>/blobs/<digest>` (distribution specification, "Deleting Blobs"). */
export function deleteBlob(doors: Doors, { blobs, observer }: Changes): RequestHandler {
  return handleHosted(doors, 'delete', async (call) => {
    const { request, response, context, route } = call;
    context.reference = parameterOf(request, 'digest');
    // Where deletes are off.
    context.allow = 'GET, HEAD';
    const digest = parseDigest(context.reference);
    await blobs.delete(route, digest);
    await announce(observer, call, { action: 'delete', kind: 'blob', digest });
    response.writeHead(202, { ...commonHeaders(request, context), 'Content-Length': 0 });
    response.end();
  });
}

function planAnswer(request: Request, digest: Digest, reader: BlobReader): Plan {
  const etag = `"${digest}"`;
  const headers = blobHeaders(digest);
  if (isNotModified(request, etag)) return { status: 304, headers: { ETag: etag }, segments: [] };
  const { size } = reader;
  if (size === undefined) {
    // The upstream did not say; the body is chunked and as long as it turns out to be.
    return { status: 200, headers, segments: [{ start: 0, end: Infinity }] };
  }
  // RFC 9110, section 13.1.5: a range of another version would not fit the client's half.
  const ifRange = request.headers['if-range'];
  const applies = ifRange === undefined || ifRange === etag;
  const decision = decideRange(applies ? request.headers.range : undefined, size);
  switch (decision.kind) {
    case 'unsatisfiable':
      throw new RegistryError('RANGE_INVALID', undefined, { detail: { size } });
    case 'full':
      headers['Content-Length'] = size;
      return { status: 200, headers, segments: size === 0 ? [] : [{ start: 0, end: size }] };
    case 'partial': {
      const [first, ...more] = decision.ranges;
      if (more.length > 0) return { status: 206, ...multipart(decision.ranges, size, headers) };
      const { start, end } = first!;
      headers['Content-Range'] = `bytes ${start}-${end}/${size}`;
      headers['Content-Length'] = end - start + 1;
      return { status: 206, headers, segments: [{ start, end: end + 1 }] };
    }
  }
}

function blobHeaders(digest: Digest): OutgoingHttpHeaders {
  return {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    ETag: `"${digest}"`,
    'Accept-Ranges': 'bytes',
    // What a digest names never changes.
    'Cache-Control': 'max-age=31536000, immutable',
  };
}

/**
 * The head is out: what fails from here on shows as a broken connection, and in the log.
 * @returns why the content failed, where it did
 */
async function send(
  response: ServerResponse,
  reader: BlobReader,
  segments: readonly Segment[],
  context: RequestContext,
): Promise<Error | undefined> {
  const { error } = await sendContent(response, reader, segments, ({ bytes, complete }) => {
    context.bytes = bytes;
    context.complete = complete;
  });
  return error;
}
