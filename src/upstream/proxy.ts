import { NoProxy } from './no-proxy.ts';

/** Through which proxy a URL is reached; undefined for none. */
export type ProxyChoice = (url: URL) => string | undefined;

/**
 * One proxy for everything, as the option `proxy` asks for.
 * @throws TypeError, without the URL: it may hold a password
 */
export function alwaysProxy(proxy: string): ProxyChoice {
  const url = proxyUrl(proxy, 'proxy');
  return () => url;
}

/**
 * The choice that HTTP_PROXY, HTTPS_PROXY and NO_PROXY make, in lower or upper case (lower first,
 * as curl has it).
 * @throws TypeError, without the URL: it may hold a password
 */
export function proxyFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): ProxyChoice {
  const read = (name: string): string | undefined => {
    const value = (env[name] ?? env[name.toUpperCase()])?.trim() ?? '';
    return value === '' ? undefined : value;
  };
  const http = read('http_proxy');
  const https = read('https_proxy');
  const plain = http === undefined ? undefined : proxyUrl(http, 'HTTP_PROXY');
  const secure = https === undefined ? undefined : proxyUrl(https, 'HTTPS_PROXY');
  const direct = new NoProxy(read('no_proxy') ?? '');
  return (url) => {
    const proxy = url.protocol === 'https:' ? secure : plain;
    return proxy === undefined || direct.covers(url) ? undefined : proxy;
  };
}

/** `proxy.example:3128` means `http://proxy.example:3128`. */
function proxyUrl(text: string, name: string): string {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (URL.canParse(url) && schemes.has(new URL(url).protocol)) return url;
  throw new TypeError(`${name} is no URL of an http, https or socks5 proxy`);
}

const schemes: ReadonlySet<string> = new Set(['http:', 'https:', 'socks5:']);
