/**
 * What is wrong with a URL, in words that do not quote it; undefined where nothing is.
 * @param schemes allowed ones, without the colon
 */
export function urlFault(
  text: string,
  schemes: readonly string[],
  { credentials }: { credentials: boolean },
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

/** The URL with its password starred out. */
export function redactUrl(text: string): string {
  if (!URL.canParse(text)) return '***';
  const url = new URL(text);
  if (url.password === '' && url.username === '') return text;
  if (url.password !== '') url.password = '***';
  else url.username = '***';
  return trimUrl(url.href);
}
