/** The way to a value in the configuration: keys, and positions in lists. */
export type ConfigPath = readonly (string | number)[];

/** Something wrong at a place in the configuration. The message never quotes a value: it may be a secret. */
export interface Fault {
  readonly path: ConfigPath;
  readonly message: string;
  /** Where the value came from: `config.yaml:12:5`, a variable's or an option's name. */
  readonly where?: string | undefined;
}

/** The configuration cannot be used. Holds every fault that was found, not just the first. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    const lines = faults.map((fault) => `  ${formatFault(fault)}`);
    super(
      [
        `${faults.length} fault${faults.length === 1 ? '' : 's'} in the configuration`,
        ...lines,
      ].join('\n'),
    );
    this.faults = faults;
  }
}

/** One line: `config.yaml:12:5 upstreams.docker.io.tag_ttl: expected …`. */
export function formatFault({ where, path, message }: Fault): string {
  const subject = [where, formatPath(path)].filter((part) => part !== undefined && part !== '');
  return printable(subject.length === 0 ? message : `${subject.join(' ')}: ${message}`);
}

/** `upstreams.docker.io.mirrors[0]`. */
export function formatPath(path: ConfigPath): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`,
    '',
  );
}

/** Keys come from a file; in a terminal they must stay text. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
