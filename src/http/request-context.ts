import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Action } from '../access/action.ts';
import { anonymous, type Caller } from '../access/caller.ts';
import type { Scope } from '../access/scope.ts';
import type { Digest } from '../oci/digest.ts';
import type { RegistryError } from '../oci/errors.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import type { Outcome } from '../registry/outcome.ts';
import type { Route } from '../registry/resolve-route.ts';

/** What is known of a request by the time it is logged and counted. */
export class RequestContext {
  readonly id: string;
  /** `performance.now()` at the request's arrival. */
  readonly startedAt: number;
  /** The upstream that the path's own prefix names, as in `/ghcr.io/v2/…`. */
  pathPrefix: string | undefined;
  /** Who makes the request; `anonymous`, too, where there are no accounts. */
  caller: Caller = anonymous;
  /** What the request wants of its repository. */
  action: Action | undefined;
  /** Where the request was refused for want of it: the scope of a token that would do. */
  neededScope: Scope | undefined;
  route: Route | undefined;
  reference: string | undefined;
  /** The manifest that is answered. */
  manifest: StoredManifest | undefined;
  /** The manifest that was held back, and why. */
  held: { readonly manifest: StoredManifest; readonly kind: 'unknown' | 'denied' } | undefined;
  /** The blob that is answered, or a part of it. */
  blob: Digest | undefined;
  /** The methods that the path takes, where it does not take the request's. */
  allow = 'GET, HEAD';
  outcome: Outcome | undefined;
  error: RegistryError | undefined;
  /** Bytes of the body that were sent. */
  bytes = 0;
  /** Bytes of a blob that came. */
  received = 0;
  /** False where the client left, or the content failed, before the end. */
  complete = true;

  constructor(id: string, startedAt = performance.now()) {
    this.id = id;
    this.startedAt = startedAt;
  }
}

/** A response that carries its context. */
export type ContextResponse = ServerResponse & { locals: { context: RequestContext } };

const boot = randomBytes(4).toString('hex');
let count = 0;

/** An id that a client or a proxy in front may give; anything else could forge log lines. */
const givenId = /^[\w.:/+=-]{1,128}$/;

/** The request's own `X-Request-Id` where it is sane, else one that is unique across restarts. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  if (typeof given === 'string' && givenId.test(given)) return given;
  return `${boot}-${(++count).toString(36)}`;
}
