/** One challenge of a WWW-Authenticate header (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`, or one we know nothing of. */
  readonly scheme: string;
  /** Names in lower case, values unquoted; of a repeated name the first. */
  readonly params: ReadonlyMap<string, string>;
  /** What some schemes send in place of parameters, such as `Negotiate`. */
  readonly token68: string | undefined;
}

interface OpenChallenge {
  readonly scheme: string;
  readonly params: Map<string, string>;
  token68: string | undefined;
}

const separators = /[ \t,]*/y;
const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
/** Only where it ends the challenge; `name=value` is a parameter. */
const token68 = /[ \t]+([A-Za-z0-9\-._~+/]+=*)(?=[ \t]*(?:,|$))/y;
const equals = /[ \t]*=[ \t]*/y;
const quoted = /"((?:[^"\\]|\\.)*)(?:"|\\?$)/sy;
const bare = /[^ \t,]*/y;

/**
 * Reads all challenges of all header lines: several may share one line, and commas stand between
 * challenges as well as between parameters. What is malformed is skipped; never throws.
 */
export function parseChallenges(header: string | readonly string[] | undefined): Challenge[] {
  if (header === undefined) return [];
  return (typeof header === 'string' ? [header] : header).flatMap(parseLine);
}

function parseLine(line: string): Challenge[] {
  const challenges: OpenChallenge[] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const match = pattern.exec(line);
    if (match !== null) position += match[0].length;
    return match;
  };
  for (take(separators); position < line.length; take(separators)) {
    const name = take(token)?.[0].toLowerCase();
    if (name === undefined) {
      if (take(quoted) === null) position += 1;
      continue;
    }
    const current = challenges.at(-1);
    if (take(equals) !== null) {
      const string = take(quoted);
      const value = string === null ? take(bare)?.[0] : unescape(string[1] ?? '');
      if (current?.params.has(name) === false) current.params.set(name, value ?? '');
    } else {
      challenges.push({ scheme: name, params: new Map(), token68: take(token68)?.[1] });
    }
  }
  return challenges;
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/gs, '$1');
}
