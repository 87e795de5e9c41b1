import type { NextFunction, RequestHandler } from 'express';
import { isUnannounced, type Caller } from '../access/caller.ts';
import { RegistryError } from '../oci/errors.ts';
import { tokenPath, type Accounts } from './accounts.ts';
import { presentedBy } from './presented.ts';
import type { ContextResponse, RequestContext } from './request-context.ts';

/** Finds out who makes a request, before anything is done for it. */
export function identify(accounts: Accounts): RequestHandler {
  return (request, response, next) => {
    // The welcome is for everybody, and who wants a token presents what the API does not take.
    if (request.path === tokenPath || request.path === '/') {
      next();
      return undefined;
    }
    const { context } = (response as unknown as ContextResponse).locals;
    const caller = accounts.identify(presentedBy(request));
    if (caller instanceof Promise) return goOn(context, caller, next);
    context.caller = caller;
    next();
    return undefined;
  };
}

async function goOn(
  context: RequestContext,
  caller: Promise<Caller>,
  next: NextFunction,
): Promise<void> {
  context.caller = await caller;
  next();
}

/**
 * `GET /v2/` is for who brings proof, be it that of being nobody: dockerd heeds no challenge but this
 * one's, and `docker login` takes any password for right where there is none.
 */
export const demandProof: RequestHandler = (_request, response, next) => {
  const { context } = (response as unknown as ContextResponse).locals;
  if (isUnannounced(context.caller)) throw new RegistryError('UNAUTHORIZED');
  next();
};
