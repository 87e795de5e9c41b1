import type { IncomingMessage } from 'node:http';
import { isUnannounced } from '../access/caller.ts';
import { formatScope, type Scope, type ScopeEntry } from '../access/scope.ts';
import { tokenPath, type Accounts } from './accounts.ts';
import type { RequestContext } from './request-context.ts';
import { originOf } from './request-origin.ts';

/**
 * The challenge that a 401 carries (RFC 6750, section 3; distribution's token specification): where
 * to get a token, and what for. One is all that clients read.
 */
export function challengeFor(
  accounts: Accounts,
  request: IncomingMessage,
  context: RequestContext,
): string {
  const { realm, service } = accounts.authority;
  // A token does not help where tokens are given.
  if (request.url?.startsWith(tokenPath) === true) return `Basic realm="${accounts.service}"`;
  const scope = context.neededScope
    ? [...context.neededScope, ...sourceScope(request)]
    : wantedScope(request, context.pathPrefix);
  const error = tokenError(request, context);
  const parameters = [
    ['realm', realm ?? `${originOf(request)}${tokenPath}`],
    ['service', service],
    ...(scope.length > 0 ? [['scope', formatScope(scope)]] : []),
    ...(error === undefined ? [] : [['error', error]]),
  ];
  return `Bearer ${parameters.map(([name, value]) => `${name}="${value}"`).join(',')}`;
}

/** Without this, containerd would come back with the same token. */
function tokenError({ headers }: IncomingMessage, { caller }: RequestContext): string | undefined {
  if (!/^bearer /i.test(headers.authorization ?? '')) return undefined;
  return isUnannounced(caller) ? 'invalid_token' : 'insufficient_scope';
}

const repositoryPath =
  /^\/v2\/([a-z0-9][a-z0-9._:/-]{0,254})\/(?:manifests|blobs|tags|referrers)\/(uploads\/?)?/;

/**
 * What a request needs, by its own words alone: it may have been refused before anything else was
 * known of it.
 */
export function wantedScope(
  request: Pick<IncomingMessage, 'method' | 'url'>,
  prefix: string | undefined,
): Scope {
  const { method = 'GET', url = '' } = request;
  const [path = ''] = url.split('?', 1);
  if (path === '/v2/_catalog') return [{ type: 'registry', name: 'catalog', actions: ['*'] }];
  const [, name, uploads] = repositoryPath.exec(path) ?? [];
  if (name === undefined) return [];
  const full = prefix === undefined ? name : `${prefix}/${name}`;
  const own = repositoryScope(full, actionsOf(method, uploads !== undefined));
  return [own, ...sourceScope(request)];
}

/** What a mount needs besides: to read its source. */
function sourceScope({ method, url = '' }: Pick<IncomingMessage, 'method' | 'url'>): Scope {
  if (method !== 'POST') return [];
  const from = new URLSearchParams(url.split('?', 2)[1]).get('from');
  return from !== null && fromShape.test(from) ? [repositoryScope(from, ['pull'])] : [];
}

function repositoryScope(name: string, actions: readonly string[]): ScopeEntry {
  return { type: 'repository', name, actions };
}

const fromShape = /^[a-z0-9][a-z0-9._:/-]{0,254}$/;

/** As CNCF distribution asks for them: who pushes looks first what is there. */
function actionsOf(method: string, isUpload: boolean): readonly string[] {
  if (method === 'GET' || method === 'HEAD') return isUpload ? ['pull', 'push'] : ['pull'];
  // To give up an upload is a part of pushing.
  return method === 'DELETE' && !isUpload ? ['delete'] : ['pull', 'push'];
}
