import { parseArgs } from 'node:util';

export const SECTIONS = ['manifests', 'blobs', 'cold', 'push', 'memory'] as const;
export type Section = (typeof SECTIONS)[number];

export const SERVERS = ['baleen', 'docker-registry', 'nginx'] as const;
export type ServerName = (typeof SERVERS)[number];

/** What one run of the bench measures. Sizes in bytes, times in milliseconds, rates in bytes a second. */
export interface Options {
  readonly only: readonly Section[];
  readonly servers: readonly ServerName[];
  readonly rounds: number;
  readonly quick: boolean;
  /** Where the raw figures go; undefined for nowhere. */
  readonly json: string | undefined;
  /** Where the report goes; undefined for the terminal alone. */
  readonly output: string | undefined;
  readonly blobSize: number;
  readonly bigBlobSize: number;
  readonly pushSize: number;
  readonly upstreamRate: number;
  /** Before the first measurement, so that compilers have done their work. */
  readonly manifestWarmUp: number;
  readonly manifestWindow: number;
  readonly blobWindow: number;
  readonly blobConnections: readonly number[];
  readonly coldClients: readonly number[];
  readonly slowReaders: number;
  readonly slowRate: number;
  readonly slowDuration: number;
}

export const HELP = `Usage: npm run bench -- [options]

  --only LIST     sections to run, by comma: ${SECTIONS.join(', ')} (default: all)
  --servers LIST  servers to run, by comma: ${SERVERS.join(', ')} (default: all)
  --rounds N      interleaved rounds (default: 5; quick: 3)
  --quick         shorter windows, fewer rounds, a 1 GB blob for 4 GB
  --json FILE     raw figures
  --output FILE   report (default: bench/RESULTS.md for a whole run, else none)
`;

/** Reads the command line. Throws an Error that names the fault. */
export function parseOptions(args: readonly string[], defaultOutput: string): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      servers: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      output: { type: 'string' },
    },
  });
  const quick = values.quick;
  const only = list('--only', values.only, SECTIONS);
  const servers = list('--servers', values.servers, SERVERS);
  const whole = !quick && values.only === undefined && values.servers === undefined;
  return {
    only,
    servers,
    quick,
    rounds: values.rounds === undefined ? (quick ? 3 : 5) : count('--rounds', values.rounds),
    json: values.json,
    output: values.output ?? (whole ? defaultOutput : undefined),
    blobSize: 100_000_000,
    bigBlobSize: quick ? 1_000_000_000 : 4_000_000_000,
    pushSize: 1_000_000_000,
    // A fast line to a public registry. The fan-out is measured, not the machine: 100 times 50 MB/s
    // would be more than any server sends from memory on two cores that its clients share.
    upstreamRate: 20_000_000,
    manifestWarmUp: 5_000,
    manifestWindow: quick ? 1_500 : 3_000,
    blobWindow: quick ? 1_000 : 2_000,
    blobConnections: [1, 8, 32],
    coldClients: [20, 100],
    slowReaders: 500,
    slowRate: 65_536,
    slowDuration: quick ? 5_000 : 12_000,
  };
}

function list<T extends string>(
  flag: string,
  text: string | undefined,
  known: readonly T[],
): readonly T[] {
  if (text === undefined) return known;
  const wanted = text.split(',').map((word) => word.trim());
  const stranger = wanted.find((word) => !(known as readonly string[]).includes(word));
  if (stranger !== undefined) {
    throw new Error(`${flag}: "${stranger}" is none of ${known.join(', ')}`);
  }
  return known.filter((name) => wanted.includes(name));
}

function count(flag: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`${flag}: "${text}" is no positive number`);
  return Number(text);
}
