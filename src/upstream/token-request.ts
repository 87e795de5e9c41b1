import { basicAuthorization, type Credential } from './credentials.ts';
import type { OutgoingRequest } from './transport.ts';

/** A credential that a token endpoint gives a token for. */
export type ExchangeableCredential = Exclude<Credential, { kind: 'registry' }>;

/** What a token is wanted for, and from whom. */
export interface TokenWish {
  readonly realm: URL;
  readonly service: string | undefined;
  /** Such as `repository:library/alpine:pull`. */
  readonly scope: string;
  /** Undefined for an anonymous token. */
  readonly credential: ExchangeableCredential | undefined;
}

const clientId = 'baleen';

/**
 * The requests that may bring the token, to be tried in this order: Docker's GET, then the OAuth2
 * form for endpoints that refuse the GET. An identity token goes only with the form, no credential
 * only with the GET.
 */
export function tokenRequests(wish: TokenWish): readonly OutgoingRequest[] {
  const { credential } = wish;
  if (credential === undefined) return [tokenGet(wish, undefined)];
  const post = tokenPost(wish, credential);
  return credential.kind === 'basic' ? [tokenGet(wish, credential), post] : [post];
}

function tokenGet(
  { realm, service, scope }: TokenWish,
  credential: Extract<Credential, { kind: 'basic' }> | undefined,
): OutgoingRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope);
  if (credential === undefined) return { kind: 'token', method: 'GET', url, headers: {} };
  const { username, password } = credential;
  url.searchParams.set('account', username);
  const authorization = basicAuthorization(username, password);
  return { kind: 'token', method: 'GET', url, headers: { authorization } };
}

function tokenPost(
  { realm, service, scope }: TokenWish,
  credential: ExchangeableCredential,
): OutgoingRequest {
  const form = new URLSearchParams({ client_id: clientId, scope });
  if (service !== undefined) form.set('service', service);
  if (credential.kind === 'basic') {
    form.set('grant_type', 'password');
    form.set('username', credential.username);
    form.set('password', credential.password);
  } else {
    form.set('grant_type', 'refresh_token');
    form.set('refresh_token', credential.token);
  }
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { kind: 'token', method: 'POST', url: realm, headers, body: form.toString() };
}
