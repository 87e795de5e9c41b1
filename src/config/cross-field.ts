import { parseShare } from '../lib/share.ts';
import { accessFaults } from './access-faults.ts';
import { authFaults } from './auth-faults.ts';
import type { Listen } from './config.ts';
import type { ConfigPath, Fault } from './config-error.ts';
import { holdFaults } from './hold-faults.ts';
import { listenClash, parseListen } from './listen.ts';
import { didYouMean } from './near-match.ts';
import { defaultListen } from './schema.ts';
import { asMapping } from './schema-tree.ts';
import { texts } from './texts.ts';
import { urlHasPassword } from './url.ts';
import { warmFaults } from './warm-faults.ts';
import { builtInAliases, defaultUrl } from './well-known.ts';

type Mapping = Readonly<Record<string, unknown>>;

/**
 * Faults between values that may each be right. Works on the file as read, whatever its types, so
 * that these faults are found in the same run as all others.
 */
export function crossFieldFaults(raw: Mapping): Fault[] {
  const upstreams = asMapping(raw['upstreams']);
  return [
    ...listenFaults(raw),
    ...limitFaults(asMapping(asMapping(raw['server'])['limits'])),
    ...watermarkFaults(asMapping(raw['storage'])),
    ...redisFaults(asMapping(asMapping(raw['catalog'])['redis'])),
    ...bundleFaults(asMapping(raw['bundles'])),
    ...defaultFaults(raw['default_upstream'], Object.keys(upstreams)),
    ...claimFaults(upstreams),
    ...authFaults(raw),
    ...accessFaults(raw),
    ...holdFaults(raw),
    ...warmFaults(raw),
    ...Object.entries(upstreams).flatMap(([name, entry]) => [
      ...credentialsFaults(name, asMapping(entry)),
      ...schemeFaults(name, asMapping(entry)),
    ]),
  ];
}

function listenFaults(raw: Mapping): Fault[] {
  const one = listenOf(raw['server'], defaultListen.server);
  const other = listenOf(raw['operations'], defaultListen.operations);
  if (one === undefined || other === undefined || !listenClash(one, other)) return [];
  const message = 'is the same address as server.listen; metrics never share the public port';
  return [{ path: ['operations', 'listen'], message }];
}

function listenOf(section: unknown, fallback: string): Listen | undefined {
  const given = asMapping(section)['listen'] ?? fallback;
  return typeof given === 'string' ? parseListen(given) : undefined;
}

function limitFaults(limits: Mapping): Fault[] {
  const given = asMapping(limits['per_client']);
  if (given['burst'] === undefined || given['requests_per_minute'] !== undefined) return [];
  const message = 'means nothing without requests_per_minute';
  return [{ path: ['server', 'limits', 'per_client', 'burst'], message }];
}

function watermarkFaults(storage: Mapping): Fault[] {
  const high = shareOf(storage['high_watermark'], '95%');
  const low = shareOf(storage['low_watermark'], '90%');
  if (high === undefined || low === undefined || low <= high) return [];
  const message = 'is above the high watermark';
  return [{ path: ['storage', 'low_watermark'], message }];
}

function shareOf(given: unknown, fallback: string): number | undefined {
  const text = given ?? fallback;
  return typeof text === 'string' || typeof text === 'number'
    ? parseShare(String(text))
    : undefined;
}

function redisFaults(redis: Mapping): Fault[] {
  const given = ['password', 'password_file'].filter((key) => redis[key] !== undefined);
  if (typeof redis['url'] === 'string' && urlHasPassword(redis['url'])) given.push('the url');
  if (given.length < 2) return [];
  const message = `the password is given twice, by ${given.join(' and ')}`;
  return [{ path: ['catalog', 'redis', 'password'], message }];
}

function bundleFaults(bundles: Mapping): Fault[] {
  const isRequired = String(bundles['require_signature']) === 'true';
  if (!isRequired || texts(bundles['trusted_keys']).length > 0) return [];
  const message = 'needs trusted_keys: without them no bundle could ever be imported';
  return [{ path: ['bundles', 'require_signature'], message }];
}

function defaultFaults(name: unknown, names: readonly string[]): Fault[] {
  if (typeof name !== 'string' || name === 'none' || names.includes(name)) return [];
  const message = `must be the name of an upstream, or none${didYouMean(name, names)}`;
  return [{ path: ['default_upstream'], message }];
}

/** A name, an alias or a host leads to one upstream. */
function claimFaults(upstreams: Mapping): Fault[] {
  const faults: Fault[] = [];
  const names = Object.keys(upstreams);
  const claim = (
    owners: Map<string, string>,
    name: string,
    key: string,
    path: ConfigPath,
  ): void => {
    const owner = owners.get(key);
    if (owner === undefined) owners.set(key, name);
    else if (owner !== name) faults.push({ path, message: `already leads to ${owner}` });
  };
  const aliases = new Map(names.map((name) => [name, name]));
  const hosts = new Map<string, string>();
  for (const name of names) {
    for (const alias of builtInAliases(name)) {
      if (aliases.has(alias)) {
        faults.push({ path: ['upstreams', alias], message: `is another name of ${name}` });
      }
      aliases.set(alias, name);
    }
  }
  for (const name of names) {
    const entry = asMapping(upstreams[name]);
    for (const [key, owners] of [
      ['aliases', aliases],
      ['hosts', hosts],
    ] as const) {
      for (const [index, value] of texts(entry[key])) {
        claim(owners, name, value.trim().toLowerCase(), ['upstreams', name, key, index]);
      }
    }
  }
  return faults;
}

function credentialsFaults(name: string, entry: Mapping): Fault[] {
  const { credentials } = entry;
  const path = ['upstreams', name, 'credentials'];
  const list: unknown[] = Array.isArray(credentials) ? credentials : [credentials];
  return list.flatMap((given, index) => {
    if (given !== asMapping(given)) return [];
    const message = credentialsFault(new Set(Object.keys(given)));
    if (message === undefined) return [];
    return [{ path: Array.isArray(credentials) ? [...path, index] : path, message }];
  });
}

function credentialsFault(keys: ReadonlySet<string>): string | undefined {
  const login = ['username', 'password', 'password_file'].filter((key) => keys.has(key));
  const ways = [
    ...login.slice(0, 1),
    ...['helper', 'docker_config'].filter((key) => keys.has(key)),
  ];
  if (ways.length === 0) {
    return 'needs username and password or password_file, or helper, or docker_config';
  }
  if (ways.length > 1) return `give only one of ${ways.join(', ')}`;
  if (login.length === 0) return undefined;
  if (keys.has('password') && keys.has('password_file')) {
    return 'give password or password_file, not both';
  }
  if (!keys.has('username')) return 'a password needs its username';
  return login.length === 1 ? 'a username needs password or password_file' : undefined;
}

/** Credentials of an https registry must not leave over http. */
function schemeFaults(name: string, entry: Mapping): Fault[] {
  const url = typeof entry['url'] === 'string' ? entry['url'] : defaultUrl(name);
  if (entry['credentials'] === undefined || !/^https:/i.test(url)) return [];
  return texts(entry['mirrors'])
    .filter(([, mirror]) => /^http:/i.test(mirror))
    .map(([index]) => ({
      path: ['upstreams', name, 'mirrors', index],
      message: 'the credentials of an https upstream would be sent over http',
    }));
}
