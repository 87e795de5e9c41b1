import type { Request, RequestHandler, Response } from 'express';
import type { Action } from '../access/action.ts';
import { RegistryError } from '../oci/errors.ts';
import type { HostedRoute, Route } from '../registry/resolve-route.ts';
import { setAwaitingContent } from './awaiting-content.ts';
import type { Doors } from './registry-request.ts';
import { discardBody } from './request-body.ts';
import type { ContextResponse, RequestContext } from './request-context.ts';

/** A request to a hosted repository, let in. */
export interface HostedCall {
  readonly request: Request;
  readonly response: Response;
  readonly context: RequestContext;
  readonly route: HostedRoute;
}

/** Answers requests that change a hosted repository. */
export function handleHosted(
  doors: Doors,
  action: Action,
  work: (call: HostedCall) => Promise<void>,
): RequestHandler {
  return async (request, response) => {
    const { context } = (response as unknown as ContextResponse).locals;
    const { socket } = request;
    // While a body is hashed anew or synced, it is us whom the client waits for.
    setAwaitingContent(socket, true);
    try {
      const route = hostedRoute(doors.enter(request, context, action));
      await work({ request, response, context, route });
    } catch (error) {
      discardBody(request);
      throw error;
    } finally {
      setAwaitingContent(socket, false);
    }
  };
}

/**
 * The route of a request that changes a repository, which has to live here.
 * @throws RegistryError UNSUPPORTED, with where the name leads instead
 */
export function hostedRoute(route: Route): HostedRoute {
  if (route.via === 'hosted') return route;
  throw new RegistryError(
    'UNSUPPORTED',
    `this name leads to ${route.remote.name}/${route.repository}, which can only be pulled from here; ` +
      'hosted.repositories in the configuration decides which names can be pushed to',
  );
}
