import { tryCommand } from '../support/command.ts';
import { which } from '../support/debian.ts';
import { tempDir } from '../support/temp-dir.ts';

/** What to test, and how. */
export interface ProgramRun {
  /** `<address>:<port>` of a registry without TLS. */
  readonly registry: string;
  /** The version of the specification that decides which tests are run. */
  readonly version: '1.1' | 'dev';
  /** Two repositories that the program may write to. */
  readonly repositories: readonly [string, string];
  readonly username?: string;
  readonly password?: string;
  /** Other settings of the program, `OCI_…`, as its README has them. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** What the program says of a registry. */
export interface ProgramReport {
  /** `Pass` where nothing failed; what it skips does not count. */
  readonly verdict: string;
  /** How many tests passed. */
  readonly passed: number;
  /** The APIs and kinds of data that did not pass, and what became of each: `Disabled`, `Skip`, `FAIL`, `Error`, or `Unknown` where nothing was tried. */
  readonly notPassed: Readonly<Record<string, string>>;
  /** The single tests that did not pass and are not disabled, with their reasons. */
  readonly complaints: readonly string[];
}

/**
 * The official conformance program (`conformance/` of opencontainers/distribution-spec): what
 * `OCI_CONFORMANCE` names, else `oci-conformance` on the path; undefined where there is none.
 */
export function officialProgram(): string | undefined {
  return process.env['OCI_CONFORMANCE'] ?? which('oci-conformance');
}

/**
 * Runs the official program to its end.
 * @throws Error where it came to no result, with all that it printed
 */
export async function runOfficialProgram(
  program: string,
  { registry, version, repositories, username, password, settings }: ProgramRun,
): Promise<ProgramReport> {
  await using directory = tempDir('conformance');
  const own = Object.keys(process.env).filter((name) => name.startsWith('OCI_'));
  const { stdout, stderr } = await tryCommand(program, [], {
    cwd: directory.path,
    env: {
      ...Object.fromEntries(own.map((name) => [name, undefined])),
      OCI_REGISTRY: registry,
      OCI_TLS: 'disabled',
      OCI_REPO1: repositories[0],
      OCI_REPO2: repositories[1],
      OCI_VERSION: version,
      OCI_USERNAME: username,
      OCI_PASSWORD: password,
      OCI_RESULTS_DIR: directory.path,
      ...settings,
    },
  });
  // Neither its exit code nor the files that it writes tell: a mistake in its settings ends it with
  // 0, and where nothing may be pushed it breaks down over its files, after it has printed all.
  const verdict = /^OCI Conformance Result: (\w+)$/m.exec(stdout)?.[1];
  if (verdict === undefined) throw new Error(`no result\n${stdout}\n${stderr}`);
  const summary = stdout.slice(stdout.indexOf('\nAPI conformance:'));
  const statuses = [
    ...summary.matchAll(/^ {2}(\S.*?)\.+: +(Pass|Disabled|Skip|FAIL|Error|Unknown)$/gm),
  ];
  return {
    verdict,
    passed: Number(/^ {2}Pass\.*: +(\d+)$/m.exec(stdout)?.[1]),
    notPassed: Object.fromEntries(
      statuses.flatMap(([, name = '', status = '']) => (status === 'Pass' ? [] : [[name, status]])),
    ),
    complaints: complaintsOf(stdout),
  };
}

/** The leaves of the printed tree of tests that were skipped or failed; what they say stands below them. */
function complaintsOf(printed: string): string[] {
  const lines = printed.split('\n');
  const end = lines.indexOf('Configuration:');
  const tree = lines.slice(0, end < 0 ? lines.length : end);
  return tree.flatMap((line, index) => {
    if (!/: (Skip|FAIL|Error)$/.test(line)) return [];
    const reasons = tree.slice(index + 1);
    const length = reasons.findIndex((each) => / *OCI Conformance Test/.test(each));
    const own = reasons.slice(0, length < 0 ? reasons.length : length);
    const leaf = length < 0 || indentOf(reasons[length]!) <= indentOf(line);
    return leaf ? [[line, ...own].map((each) => each.trim()).join(' ')] : [];
  });
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
