import { NoProxy } from './no-proxy.ts';

/** Through which proxy a URL is reached; undefined for none. */
export type ProxyChoice = (url: URL) => string | undefined;

/** One proxy for everything, as the option `proxy` asks for. */
export function alwaysProxy(proxy: string): ProxyChoice {
  const url = proxyUrl(proxy);
  return () => url;
}

/**
 * The choice that HTTP_PROXY, HTTPS_PROXY and NO_PROXY make, in lower or upper case (lower first,
 * as curl has it).
 */
export function proxyFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): ProxyChoice {
  const read = (name: string): string | undefined => {
    const value = env[name] ?? env[name.toUpperCase()];
    return value === undefined || value.trim() === '' ? undefined : value.trim();
  };
  const http = read('http_proxy');
  const https = read('https_proxy');
  const direct = new NoProxy(read('no_proxy') ?? '');
  return (url) => {
    const proxy = url.protocol === 'https:' ? https : http;
    return proxy === undefined || direct.covers(url) ? undefined : proxyUrl(proxy);
  };
}

/** `proxy.example:3128` means `http://proxy.example:3128`. */
function proxyUrl(text: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
}
