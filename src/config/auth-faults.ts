import type { Fault } from './config-error.ts';
import { asMapping } from './schema-tree.ts';

type Mapping = Readonly<Record<string, unknown>>;

/** `iss` of Baleen's own tokens. */
const ourIssuer = 'baleen';

/** Accounts that nobody could log in to, and issuers that cannot be told apart or reached in safety. */
export function authFaults(raw: Mapping): Fault[] {
  if (raw['auth'] === undefined) return [];
  const auth = asMapping(raw['auth']);
  const issuers = Object.entries(asMapping(auth['issuers'])).map(
    ([name, issuer]) => [name, asMapping(issuer)] as const,
  );
  return [
    ...wayFaults(auth, issuers.length),
    ...certificateFaults(auth, asMapping(asMapping(raw['server'])['tls'])),
    ...realmFaults(asMapping(auth['tokens']), issuers),
    ...repeatedFaults(issuers),
    ...issuers.flatMap(([name, issuer]) => issuerFaults(name, issuer)),
  ];
}

function wayFaults(auth: Mapping, issuers: number): Fault[] {
  const isThere = issuers > 0 || auth['htpasswd'] !== undefined;
  if (isThere || auth['certificates'] !== undefined) return [];
  const message = 'needs htpasswd, issuers or certificates: nobody could log in';
  return [{ path: ['auth'], message }];
}

function certificateFaults(auth: Mapping, tls: Mapping): Fault[] {
  if (auth['certificates'] === undefined || tls['client_ca'] !== undefined) return [];
  const message = 'needs server.tls.client_ca: the authority that signs them';
  return [{ path: ['auth', 'certificates'], message }];
}

/** A challenge can send clients to one place only. */
function realmFaults(tokens: Mapping, issuers: readonly (readonly [string, Mapping])[]): Fault[] {
  const given = issuers.filter(([, { realm }]) => realm !== undefined);
  const own = tokens['realm'] === undefined ? [] : ['tokens'];
  return given.slice(own.length > 0 ? 0 : 1).map(([name]) => ({
    path: ['auth', 'issuers', name, 'realm'],
    message: `clients are sent elsewhere already, by ${own[0] ?? given[0]?.[0]}`,
  }));
}

function repeatedFaults(issuers: readonly (readonly [string, Mapping])[]): Fault[] {
  const seen = new Map<unknown, string>();
  return issuers.flatMap(([name, { issuer }]) => {
    const first = seen.get(issuer);
    if (first === undefined) seen.set(issuer, name);
    if (first === undefined || issuer === undefined) return [];
    return [{ path: ['auth', 'issuers', name, 'issuer'], message: `is the same as ${first}’s` }];
  });
}

function issuerFaults(name: string, issuer: Mapping): Fault[] {
  const path = ['auth', 'issuers', name];
  const faults: Fault[] = [];
  if (issuer['issuer'] === ourIssuer) {
    faults.push({ path: [...path, 'issuer'], message: 'is the name of Baleen’s own tokens' });
  }
  if (issuer['jwks'] !== undefined && issuer['jwks_file'] !== undefined) {
    faults.push({ path: [...path, 'jwks_file'], message: 'give jwks or jwks_file, not both' });
  }
  const isDiscovered = issuer['jwks'] === undefined && issuer['jwks_file'] === undefined;
  const key = isDiscovered ? 'issuer' : 'jwks';
  const url = issuer[key];
  if (typeof url === 'string' && !isSafe(url)) {
    const message = isDiscovered
      ? 'is no https URL that its keys could be found by: give jwks or jwks_file'
      : 'must be https: whoever can change what comes over http can log in as anybody';
    faults.push({ path: [...path, key], message });
  }
  return faults;
}

/** Whether nobody between us and it can change what it says. */
function isSafe(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback);
}
