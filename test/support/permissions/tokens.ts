import { ask } from './ask.ts';
import { basicOf, type Account } from './world.ts';

/** What the challenge of `GET /v2/` says of the token server. */
export interface Realm {
  readonly path: string;
  readonly service: string;
}

/** Reads it as clients do. */
export async function realmOf(port: number): Promise<Realm> {
  const { headers } = await ask(port, { method: 'GET', path: '/v2/' });
  const challenge = headers['www-authenticate'] ?? '';
  const [, realm = ''] = /realm="([^"]+)"/.exec(challenge) ?? [];
  const [, service = ''] = /service="([^"]+)"/.exec(challenge) ?? [];
  return { path: new URL(realm).pathname, service };
}

/** Asks for a token as docker does. */
export async function fetchToken(
  port: number,
  { path, service }: Realm,
  account: Account,
  scopes: readonly string[],
): Promise<string> {
  const query = new URLSearchParams({ service, account });
  for (const scope of scopes) query.append('scope', scope);
  const authorization = basicOf(account);
  const { status, text } = await ask(port, {
    method: 'GET',
    path: `${path}?${query.toString()}`,
    headers: authorization === undefined ? {} : { authorization },
  });
  if (status !== 200) throw new Error(`no token for ${account}: ${String(status)} ${text}`);
  return (JSON.parse(text) as { token: string }).token;
}
