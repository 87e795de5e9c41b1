/** Where a registry's API is, taken from the URL in the configuration. */
export interface RegistryUrl {
  /** Of the API itself, ending in `/v2/`. */
  readonly root: URL;
  /** What every repository's name starts with there: '' or such as `docker-hub/`. */
  readonly prefix: string;
}

/**
 * Reads a registry's URL. `https://host/path` means `https://host/path/v2/…`, as Artifactory has
 * it; `https://host/v2/prefix` puts the prefix before each name, as proxy projects of Harbor and
 * other caches want it.
 * @throws TypeError: not http(s), or with a user, password, query or fragment
 */
export function parseRegistryUrl(text: string): RegistryUrl {
  const url = URL.parse(text);
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    throw new TypeError('a registry needs an https:// or http:// URL');
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError("a registry's URL must not hold a user or password");
  }
  if (url.search !== '' || url.hash !== '') {
    throw new TypeError("a registry's URL must not have a query or fragment");
  }
  const path = url.pathname.replace(/\/+$/, '');
  const [, before = path, after = ''] = /^(.*?)\/v2(?:\/(.*))?$/.exec(path) ?? [];
  // Set, not parsed again: a path that begins with two slashes would be taken for another host.
  url.pathname = `${before}/v2/`;
  return {
    root: url,
    prefix: after === '' ? '' : `${after}/`,
  };
}
