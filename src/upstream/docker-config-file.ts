import type { Credential } from './credentials.ts';

/** The parts of Docker's `config.json` that concern credentials, by {@link serverKey}. */
export interface DockerConfig {
  readonly credentials: ReadonlyMap<string, Credential>;
  readonly helpers: ReadonlyMap<string, string>;
  /** The helper for every server that has none of its own. */
  readonly store: string | undefined;
}

const hubHosts: ReadonlySet<string> = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
]);

/**
 * The one form of the many in which a server is written there: `https://index.docker.io/v1/`,
 * `registry.example:5000`, `https://registry.example/v2/`. A deeper path, as podman has it, stays.
 */
export function serverKey(server: string): string {
  const bare = server
    .trim()
    .replace(/^https?:\/\//i, '')
    .replace(/(?:\/v[12])?\/*$/i, '');
  const slash = bare.indexOf('/');
  const host = (slash === -1 ? bare : bare.slice(0, slash)).toLowerCase();
  const path = slash === -1 ? '' : bare.slice(slash);
  return `${hubHosts.has(host) ? 'docker.io' : host}${path}`;
}

/** The name under which helpers know the server. */
export function serverUrl(key: string): string {
  return key === 'docker.io' ? 'https://index.docker.io/v1/' : key;
}

/**
 * Reads a `config.json`. Entries that make no sense are left out.
 * @throws Error, which does not quote the file
 */
export function parseDockerConfig(text: string): DockerConfig {
  const document = asObject(parseJson(text));
  if (document === undefined) throw new Error('it is not a JSON object');
  const credentials = new Map<string, Credential>();
  for (const [server, entry] of Object.entries(asObject(document['auths']) ?? {})) {
    const credential = parseEntry(asObject(entry) ?? {});
    if (credential !== undefined) credentials.set(serverKey(server), credential);
  }
  const helpers = new Map<string, string>();
  for (const [server, name] of Object.entries(asObject(document['credHelpers']) ?? {})) {
    const helper = nonEmpty(name);
    if (helper !== undefined) helpers.set(serverKey(server), helper);
  }
  return { credentials, helpers, store: nonEmpty(document['credsStore']) };
}

function parseEntry(entry: Record<string, unknown>): Credential | undefined {
  const identity = nonEmpty(entry['identitytoken']);
  if (identity !== undefined) return { kind: 'identity', token: identity };
  const registry = nonEmpty(entry['registrytoken']);
  if (registry !== undefined) return { kind: 'registry', token: registry };
  const auth = nonEmpty(entry['auth']);
  if (auth !== undefined) {
    const decoded = Buffer.from(auth, 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    if (colon < 1) return undefined;
    // Docker pads the password with NULs to the length of its buffer.
    const password = decoded.slice(colon + 1).replace(/\0+$/, '');
    return { kind: 'basic', username: decoded.slice(0, colon), password };
  }
  const username = nonEmpty(entry['username']);
  const password = nonEmpty(entry['password']);
  if (username === undefined || password === undefined) return undefined;
  return { kind: 'basic', username, password };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
