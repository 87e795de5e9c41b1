/**
 * Takes secrets out of what is about to be logged. The modules that talk to registries redact at
 * the source; this is the second lock, for messages of libraries and for what was overlooked.
 */

const redacted = '[redacted]';

/** Names of fields and headers whose values are never shown. */
const secretName =
  /authorization|^cookie$|^set-cookie$|passw(?:or)?d|passphrase|secret|(?:^|[_-])token$|(?:Token|TOKEN)$|api[_-]?key|private[_-]?key|^x-registry-auth$/i;

/** Query parameters that tell an operator something and prove nothing. */
const harmlessParameters: ReadonlySet<string> = new Set(
  'ns n last service scope digest artifactType mount from account client_id'.split(' '),
);

const patterns: readonly (readonly [RegExp, string])[] = [
  // An Authorization header written out: nothing after it on the line is kept.
  [/((?:proxy-)?authorization["']?\s*[:=]\s*)[^\n\r]+/gi, `$1${redacted}`],
  [
    /\b(Bearer|Basic|Negotiate)\s+(?!realm\b|error\b|service\b|scope\b)["']?[\w.~+/=-]{6,}["']?/gi,
    `$1 ${redacted}`,
  ],
  // JSON Web Tokens, and the tokens that are known by their prefix.
  [/\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g, redacted],
  [/\b(?:dckr_[a-z]{2,4}_|gh[opusr]_|github_pat_|glpat-|gldt-|ya29\.)[\w.-]{6,}/g, redacted],
  // user:password@ of a URL.
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'<>]*@/gi, `$1${redacted}@`],
  // name=value and "name":"value" of the telling names.
  [
    /(\\?["']?\b(?:[\w-]*passw(?:or)?d|[\w-]*secret|(?:access|refresh|id|identity|registry)_?token|token)\\?["']?\s*(?:=|\\?["']\s*:)\s*)(?:\\?"[^"]*"|[^\s,;&}\]"']+)/gi,
    `$1${redacted}`,
  ],
];

const url = /\bhttps?:\/\/[^\s"'<>]+/gi;

/** The text without secrets. */
export function redactText(text: string): string {
  let clean = text.includes('?') ? text.replaceAll(url, redactQuery) : text;
  for (const [pattern, replacement] of patterns) clean = clean.replaceAll(pattern, replacement);
  return clean;
}

/** A URL or a path in which only harmless parameters keep their values: signatures go by many names. */
export function redactQuery(text: string): string {
  const start = text.indexOf('?');
  if (start < 0) return text;
  const parameters = text.slice(start + 1).split('&');
  const shown = parameters.map((parameter) => {
    const equals = parameter.indexOf('=');
    if (equals < 0) return parameters.length === 1 ? redacted : parameter.slice(0, 40);
    const name = parameter.slice(0, equals);
    return harmlessParameters.has(name) ? parameter : `${name.slice(0, 60)}=${redacted}`;
  });
  return `${text.slice(0, start + 1)}${shown.join('&')}`;
}

const deepest = 6;
const longestText = 8192;

/** A copy of a field's value that can be written as JSON and holds no secret: no cycle, no class, nothing endless. */
export function redactValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') {
    return redactText(value.length > longestText ? `${value.slice(0, longestText)}…` : value);
  }
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (typeof value === 'function') return '[function]';
  return typeof value === 'object' && value !== null ? redactObject(value, depth) : value;
}

function redactObject(value: object, depth: number): unknown {
  if (depth >= deepest) return '[…]';
  if (value instanceof URL) return redactText(value.href);
  if (value instanceof Error) return redactText(`${value.name}: ${value.message}`);
  if (value instanceof Date) return Number.isNaN(value.valueOf()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => redactValue(item, depth + 1));
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  return Object.fromEntries(
    entries.slice(0, 100).map(([name, child]) => {
      const key = String(name);
      const kept = child === undefined || child === null || typeof child === 'boolean';
      return [key, secretName.test(key) && !kept ? redacted : redactValue(child, depth + 1)];
    }),
  );
}
