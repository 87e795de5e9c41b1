/**
 * Runs Baleen among failing upstreams, disks and clients: `npm run chaos -- --help`. What happens
 * is a pure function of the seed; what must hold all the same is checked during and after each run.
 */
import { parseArgs } from 'node:util';
import { reap, reapAbandonedRuns, runDirectory } from '../support/run-directory.ts';
import { runChaos } from './run.ts';
import type { Size } from './scenarios/scenario.ts';
import { scenarios } from './scenarios/scenarios.ts';
import { Tally } from './tally.ts';

const help = `Usage: npm run chaos -- [--seed N | --seeds A..B] [--minutes M]
       npm run chaos -- --scenario NAME [--small] [--seed N]

  --seed N      one run with this seed (1)
  --seeds A..B  one run for each of these seeds, one after the other
  --minutes M   of faults in all, shared among the runs (1)
  --scenario    one hard case instead, at full size: ${Object.keys(scenarios).join(', ')}
  --small       as small as in the tests
`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** The seeds that the options name. */
function seedsOf(seed: string, range: string | undefined): number[] {
  const [, first = seed, last = seed] = /^(\d+)\.\.(\d+)$/.exec(range ?? '') ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (!Number.isSafeInteger(from) || !(to >= from)) throw new Error(help);
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** Plays a scenario, and prints its figures. */
async function play(name: string, size: Size, seed: number): Promise<boolean> {
  const scenario = scenarios[name];
  if (scenario === undefined) throw new Error(help);
  for (const [what, figure] of Object.entries(await scenario(size, seed))) {
    const text = typeof figure === 'number' ? figure.toLocaleString('en') : figure;
    print(`  ${what.padEnd(40)} ${text}`);
  }
  return true;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string' },
      minutes: { type: 'string', default: '1' },
      scenario: { type: 'string' },
      small: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    print(help);
    return true;
  }
  if (values.scenario !== undefined) {
    return play(values.scenario, values.small ? 'small' : 'full', Number(values.seed));
  }
  const seeds = seedsOf(values.seed, values.seeds);
  const minutes = Number(values.minutes) / seeds.length;
  if (!(minutes > 0)) throw new Error(help);
  const total = new Tally();
  let isGood = true;
  for (const seed of seeds) {
    print(`seed ${String(seed)}: ${minutes.toFixed(2)} minutes of faults`);
    // One run at a time: each is meant to have the machine to itself.
    const { findings, tally } = await runChaos(seed, minutes * 60_000, (line) => {
      print(`  ${line}`);
    });
    total.merge(tally);
    print(
      `  ${findings.length === 0 ? 'held' : 'FAILED'}: ${String(tally.of('requests'))} requests`,
    );
    if (findings.length === 0) continue;
    isGood = false;
    for (const finding of findings.slice(0, 50)) print(`  ! ${finding}`);
    print(`  again: npm run chaos -- --seed ${String(seed)} --minutes ${minutes.toFixed(2)}`);
  }
  print(`\n${String(seeds.length)} seeds, ${values.minutes} minutes of faults`);
  print(String(total));
  return isGood;
}

reapAbandonedRuns();
const directory = runDirectory();
process.once('exit', () => {
  reap(directory);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.exit((await main()) ? 0 : 1);
