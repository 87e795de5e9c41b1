/** A URL fit for errors and logs: no user information, and of the query only that there is one. */
export function redactUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === '' ? '' : '?…'}`;
}

const longestQuote = 300;

/**
 * Foreign text fit for errors and logs: printable, on one line, at most 300 characters, the queries
 * of URLs (they may be signed) and anything like an Authorization header cut out.
 */
export function quote(text: string): string {
  const line = text
    .slice(0, 8 * longestQuote)
    .replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]+/gu, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .replaceAll(/(https?:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/gi, '$1?…')
    .replaceAll(/\b(basic|bearer) +[\w.~+/=-]{8,}/gi, '$1 …')
    .trim();
  return line.length > longestQuote ? `${line.slice(0, longestQuote)}…` : line;
}
