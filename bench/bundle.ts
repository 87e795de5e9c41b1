/**
 * Measures how fast bundles are written and taken in, beside `cp` of the same file, in turns:
 * `node bench/bundle.ts --help`.
 *
 * An export reads and hashes the blobs, writes the bundle, and syncs it before it gives it its name.
 * `cp` reads one file, hashes nothing, and leaves what it wrote to the kernel: so there is a second
 * one, that syncs its copy as well. An import reads the bundle, hashes and writes each blob, syncs it,
 * and moves it into its place, in a data directory that is empty.
 */
import { mkdtempSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeByteSize, parseByteSize } from '../src/lib/byte-size.ts';
import { makeStore } from './bundle-content.ts';
import { Calm } from './calm.ts';
import { pairwise, spread, type Spread } from './statistics.ts';
import { timedRun, type TimedRun } from './timed-run.ts';

const HELP = `Usage: node bench/bundle.ts [options]

  --size SIZE      bytes of the images (default: 1GB)
  --rounds N       rounds, in each of which everything runs once (default: 3)
  --directory DIR  where to work; room for five times the size (default: ${tmpdir()})
`;

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** As `npm start` runs it. */
const baleen = (...args: readonly string[]): Promise<TimedRun> =>
  timedRun(process.execPath, ['--max-semi-space-size=2', main, ...args]);

interface Bench {
  readonly data: string;
  readonly image: string;
  readonly bundle: string;
  /** Where to write. What is there goes after each run. */
  readonly copy: string;
}

/** What is measured. Each round begins with another of them: where the last ended matters to the next. */
const CASES: readonly [name: string, run: (bench: Bench) => Promise<TimedRun>][] = [
  ['export', ({ data, image, copy }) => baleen('export', image, '-o', copy, '--data', data)],
  ['import', ({ bundle, copy }) => baleen('import', bundle, '--data', copy)],
  ['cp', ({ bundle, copy }) => timedRun('cp', [bundle, copy])],
  [
    'cp and sync',
    ({ bundle, copy }) => timedRun('sh', ['-c', 'cp "$0" "$1" && sync "$1"', bundle, copy]),
  ],
];

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    size: { type: 'string', default: '1GB' },
    rounds: { type: 'string', default: '3' },
    directory: { type: 'string', default: tmpdir() },
  },
});
if (values.help) process.stdout.write(HELP);
else await run(parseByteSize(values.size) ?? 0, Number(values.rounds), values.directory);

async function run(size: number, rounds: number, directory: string): Promise<void> {
  const folder = mkdtempSync(join(directory, 'baleen-bundle-'));
  try {
    const data = join(folder, 'data');
    const image = await makeStore(data, size);
    const bundle = join(folder, 'bundle.tar');
    const bench = { data, image, bundle, copy: join(folder, 'copy') };
    await baleen('export', image, '-o', bundle, '--data', data);
    // Whoever came first would read from the disk what the others find in memory.
    for (const [, warmUp] of CASES) {
      await warmUp(bench);
      await rm(bench.copy, { recursive: true, force: true });
    }
    const runs = new Map<string, TimedRun[]>(CASES.map(([name]) => [name, []]));
    const calm = new Calm();
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < CASES.length; turn++) {
        const [name, measure] = CASES[(round + turn) % CASES.length]!;
        // What others have written is on the disk before anybody's time begins.
        await timedRun('sync', []);
        await calm.wait();
        runs.get(name)?.push(await measure(bench));
        await rm(bench.copy, { recursive: true, force: true });
      }
    }
    const { size: bytes } = await stat(bench.bundle);
    process.stdout.write(report(bytes, runs, calm));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function report(bytes: number, runs: ReadonlyMap<string, readonly TimedRun[]>, calm: Calm): string {
  const rates = (name: string): number[] =>
    (runs.get(name) ?? []).map(({ seconds }) => bytes / seconds);
  const lines = [...runs].map(([name, each]) => {
    const rate = figures(
      spread(rates(name)),
      (value) => `${describeByteSize(Math.round(value))}/s`,
    );
    const peak = Math.max(...each.map((run) => run.peak));
    const beside = ['cp', 'cp and sync'].map((other) =>
      figures(
        spread(pairwise(rates(name), rates(other)).map(Number)),
        (value) => `${value.toFixed(2)} ×`,
      ),
    );
    return `| ${[name, rate, ...beside, describeByteSize(peak)].join(' | ')} |`;
  });
  return [
    `A bundle of ${describeByteSize(bytes)}; ${calm.disturbed} of ${calm.measurements} measurements began while others were busy.`,
    '',
    '| | rate | beside cp | beside cp and sync | resident |',
    '| --- | --: | --: | --: | --: |',
    ...lines,
    '',
  ].join('\n');
}

function figures(value: Spread | undefined, write: (value: number) => string): string {
  if (value === undefined) return '–';
  return `${write(value.median)} (${write(value.min)}–${write(value.max)})`;
}
