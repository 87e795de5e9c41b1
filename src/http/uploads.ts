import type { Request, RequestHandler } from 'express';
import { isLoggedIn } from '../access/caller.ts';
import { scopeAllows } from '../access/scope.ts';
import type { UploadBody, Uploads } from '../hosted/uploads.ts';
import type { Mount } from '../hosted/mount.ts';
import type { ByteRange } from '../oci/byte-range.ts';
import { digestAlgorithms, parseDigest, splitDigest } from '../oci/digest.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { isRegistryError, RegistryError } from '../oci/errors.ts';
import { announce } from './announce.ts';
import { setAwaitingContent } from './awaiting-content.ts';
import { commonHeaders } from './headers.ts';
import { handleHosted, type HostedCall } from './hosted-route.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';
import type { ChangeObserver } from './observer.ts';
import type { RequestContext } from './request-context.ts';
import { parameterOf, queryOf, type Doors } from './registry-request.ts';
import { hasBody, welcomeBody } from './request-body.ts';

/** How blobs come into hosted repositories. */
export interface Push {
  readonly uploads: Uploads;
  readonly mount: Mount;
  /** Left out where nobody wants to know. */
  readonly observer?: ChangeObserver | undefined;
}

/**
 * `POST /v2/<name>/blobs/uploads/` (distribution specification, "Pushing blobs"): begins an upload;
 * with `digest` takes the whole blob at once; with `mount` and `from` mounts it.
 */
export function postUpload(doors: Doors, { uploads, mount, observer }: Push): RequestHandler {
  return handle(doors, async (call) => {
    const { request, context, route } = call;
    const wanted = queryOf(request, 'mount');
    if (wanted !== undefined) {
      const mounted = parseDigest(wanted);
      context.reference = mounted;
      const from = queryOf(request, 'from');
      const source =
        from === undefined
          ? await mount.find(mounted, (names) => hostedOnes(doors, context, names))
          : doors.readable(request, context, from);
      if (source !== undefined && (await mount.mount(route, mounted, source))) {
        const change = { action: 'mount', kind: 'blob', digest: mounted, from: source } as const;
        await announce(observer, call, change);
        created(call, mounted);
        return;
      }
    }
    const named = queryOf(request, 'digest');
    const digest = named === undefined ? undefined : parseDigest(named);
    const algorithm = digest ? splitDigest(digest).algorithm : parseAlgorithm(request);
    const { caller } = context;
    const owner = isLoggedIn(caller) ? caller.account : undefined;
    const id = await uploads.start(route, algorithm, owner);
    // Without a body it is the other kind of POST, and the client goes on with PUT.
    if (digest === undefined || !hasBody(request)) {
      accepted(call, 202, id, 0);
      return;
    }
    context.reference = digest;
    let isStored = false;
    try {
      isStored = await uploads.finish(route, id, digest, bodyOf(call, undefined));
      if (isStored) await pushed(observer, call, digest);
    } finally {
      // Nobody was told its id.
      if (!isStored) await uploads.cancel(route, id).catch(ignoreUnknown);
    }
  });
}

/** `GET` and `HEAD` of an upload: how far it has come. */
export function getUpload(doors: Doors, { uploads }: Push): RequestHandler {
  return handle(doors, async (call) => {
    const id = idOf(call);
    accepted(call, 204, id, await uploads.status(call.route, id));
  });
}

/** `PATCH` of an upload: a chunk with its range, or, as docker and podman send it, all in one stream. */
export function patchUpload(doors: Doors, { uploads }: Push): RequestHandler {
  return handle(doors, async (call) => {
    const id = idOf(call);
    const range = rangeOf(call.request);
    const appending = uploads.append(call.route, id, bodyOf(call, range));
    const { offset, isWhole } = await placed(call, id, appending);
    // Nobody is there to be answered.
    if (isWhole) accepted(call, 202, id, offset);
  });
}

/** `PUT` of an upload with `digest`: ends it, with a last part where there is a body. */
export function putUpload(doors: Doors, { uploads, observer }: Push): RequestHandler {
  return handle(doors, async (call) => {
    const { request, context, route } = call;
    const id = idOf(call);
    const digest = parseDigest(queryOf(request, 'digest') ?? '');
    const last = hasBody(request) ? bodyOf(call, rangeOf(request)) : undefined;
    context.reference = digest;
    const isStored = await placed(call, id, uploads.finish(route, id, digest, last));
    if (isStored) await pushed(observer, call, digest);
  });
}

/** `DELETE` of an upload: it is given up. */
export function deleteUpload(doors: Doors, { uploads }: Push): RequestHandler {
  return handle(doors, async (call) => {
    const { request, response, context, route } = call;
    await uploads.cancel(route, idOf(call));
    response.writeHead(204, commonHeaders(request, context)).end();
  });
}

function handle(doors: Doors, work: (call: HostedCall) => Promise<void>): RequestHandler {
  return handleHosted(doors, 'push', work);
}

/** The routes of those names that the client may pull from, by its token too, and that still lead here. */
function hostedOnes(
  doors: Doors,
  context: RequestContext,
  names: readonly string[],
): HostedRoute[] {
  const { scope } = context.caller;
  return doors
    .visible(context, names)
    .filter((name) => scope === undefined || scopeAllows(scope, 'repository', name, 'pull'))
    .map((name) => doors.routeOf(name))
    .filter((route) => route?.via === 'hosted');
}

function idOf({ request, context }: HostedCall): string {
  return (context.reference = parameterOf(request, 'upload'));
}

function bodyOf({ request, context }: HostedCall, range: ByteRange | undefined): UploadBody {
  const { 'content-length': length } = request.headers;
  return {
    length: length === undefined ? undefined : Number(length),
    range,
    open() {
      setAwaitingContent(request.socket, false);
      request.once('end', () => setAwaitingContent(request.socket, true));
      request.on('data', (chunk: Buffer) => (context.received += chunk.length));
      return welcomeBody(request);
    },
  };
}

/** `Content-Range: 0-1023`. Some clients write it as HTTP has it, `bytes 0-1023/*`. */
function rangeOf({ headers }: Request): ByteRange | undefined {
  const header = headers['content-range'];
  if (header === undefined) return undefined;
  const [, first, last] = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\*|\d+))?$/.exec(header) ?? [];
  const range = { start: Number(first), end: Number(last) };
  if (range.start <= range.end) return range;
  throw new RegistryError('BLOB_UPLOAD_INVALID', 'Content-Range has to be <first>-<last>');
}

/** `digest-algorithm`, of a blob that is going to be sent in chunks; sha256 where absent. */
function parseAlgorithm(request: Request): DigestAlgorithm {
  const wanted = queryOf(request, 'digest-algorithm') ?? 'sha256';
  const algorithm = digestAlgorithms.find((known) => known === wanted);
  if (algorithm !== undefined) return algorithm;
  throw new RegistryError('DIGEST_INVALID', `use ${digestAlgorithms.join(' or ')}`);
}

/** Adds to an answer of 416 where the upload goes on. */
async function placed<T>(call: HostedCall, id: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isRegistryError(error, 'RANGE_INVALID')) {
      const { offset } = error.detail as { offset: number };
      for (const [name, value] of Object.entries(placeOf(call, id, offset))) {
        call.response.setHeader(name, value);
      }
    }
    throw error;
  }
}

/** Where an upload is, and how far: `0-0` also where no byte is there, as CNCF distribution has it. */
function placeOf({ route }: HostedCall, id: string, offset: number): Record<string, string> {
  return {
    Location: `/v2/${route.repository}/blobs/uploads/${id}`,
    Range: `0-${Math.max(0, offset - 1)}`,
    'Docker-Upload-UUID': id,
  };
}

function accepted(call: HostedCall, status: 202 | 204, id: string, offset: number): void {
  const { request, response, context } = call;
  response.writeHead(status, {
    ...commonHeaders(request, context),
    ...placeOf(call, id, offset),
    ...(status === 202 && { 'Content-Length': 0 }),
  });
  response.end();
}

async function pushed(
  observer: ChangeObserver | undefined,
  call: HostedCall,
  digest: Digest,
): Promise<void> {
  await announce(observer, call, { action: 'push', kind: 'blob', digest });
  created(call, digest);
}

function created({ request, response, context, route }: HostedCall, digest: Digest): void {
  response.writeHead(201, {
    ...commonHeaders(request, context),
    Location: `/v2/${route.repository}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
    'Content-Length': 0,
  });
  response.end();
}

/** It is over already. */
function ignoreUnknown(error: unknown): void {
  if (!isRegistryError(error, 'BLOB_UPLOAD_UNKNOWN')) throw error;
}
