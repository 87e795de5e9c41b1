/**
 * What is wrong with a URL, in words that do not quote it; undefined where nothing is.
 * @param schemes allowed ones, without the colon
 */
export function urlFault(
  text: string,
  schemes: readonly string[],
  { credentials, query = false }: { credentials: boolean; query?: boolean },
): string | undefined {
  const wanted = schemes.map((scheme) => `${scheme}://`).join(' or ');
  if (!URL.canParse(text)) return `expected a URL that starts with ${wanted}`;
  const url = new URL(text);
  if (!schemes.includes(url.protocol.slice(0, -1)))
    return `expected a URL that starts with ${wanted}`;
  if (url.hostname === '') return 'the URL names no host';
  if (!credentials && (url.username !== '' || url.password !== '')) {
    return 'the URL must not hold credentials; use `credentials`';
  }
  if (query && url.hash !== '') return 'the URL must have no fragment';
  if (query) return undefined;
  if (url.search !== '' || url.hash !== '') return 'the URL must have no query and no fragment';
  return undefined;
}

/** The URL without a slash at its end, so that paths can be appended. */
export function trimUrl(text: string): string {
  return text.trim().replace(/\/+$/, '');
}

/** Whether a URL holds a password. What is no URL holds none. */
export function urlHasPassword(text: string): boolean {
  return URL.canParse(text) && new URL(text).password !== '';
}

/** The URL with its password, and all that stands in its query, starred out. */
export function redactUrl(text: string): string {
  if (!URL.canParse(text)) return '***';
  const url = new URL(text);
  if (url.password === '' && url.username === '' && url.search === '') return text;
  if (url.password !== '') url.password = '***';
  else if (url.username !== '') url.username = '***';
  for (const name of new Set(url.searchParams.keys())) url.searchParams.set(name, '***');
  return trimUrl(url.href);
}
