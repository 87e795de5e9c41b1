import { setTimeout as sleep } from 'node:timers/promises';
import { Skopeo } from '../support/clients/skopeo.ts';
import { provide } from '../support/debian.ts';
import { inspectCalm, pullEverything } from './calm.ts';
import { Puller } from './puller.ts';
import { Random } from '../support/random.ts';
import { footprint, sample } from './sampler.ts';
import { scheduleOf } from './schedule.ts';
import { Storm } from './storm.ts';
import type { Tally } from './tally.ts';
import { World } from './world.ts';

/** Clients that pull all the time. */
export const pullers = 12;

/** What came of a run. */
export interface RunResult {
  /** What must not be; empty for a good run. */
  readonly findings: readonly string[];
  readonly tally: Tally;
}

/**
 * One run: everything is pulled once without a fault, then the storm rages among clients that
 * pull without end, then it is calm again and all has to be as it was.
 * @param length of the storm, in milliseconds
 */
export async function runChaos(
  seed: number,
  length: number,
  note: (line: string) => void,
): Promise<RunResult> {
  await using resources = new AsyncDisposableStack();
  const world = resources.use(await World.create({ seed, note }));
  const missing = await provide('skopeo');
  if (missing !== undefined) note(`without skopeo: ${missing}`);
  const skopeo =
    missing === undefined ? resources.use(await Skopeo.start(world.baleen.host)) : undefined;

  const ending = new AbortController();
  const sampling = sample(world, ending.signal);
  const failures = await pullEverything(world);
  if (failures > 0) world.found(`${String(failures)} pulls failed before the first fault`);
  const before = footprint(world.baleen.process.pid);

  const raging = new AbortController();
  const clients = Array.from({ length: pullers }, (_, nth) =>
    pullWhile(new Puller(world, new Random(seed * 100 + nth)), raging.signal),
  );
  try {
    await new Storm(world, skopeo).rage(scheduleOf(seed, length));
  } finally {
    raging.abort();
    await Promise.all(clients);
  }
  for (const upstream of world.upstreams.values()) upstream.faults.clear();
  await inspectCalm(world, before);
  ending.abort();
  await sampling;

  world.isUp = false;
  const exit = await world.baleen.stop();
  if (exit.code !== 0) {
    const told = world.baleen.process.tail(1_500);
    world.found(`SIGTERM ended Baleen with ${JSON.stringify(exit)}: ${told}`);
  }
  world.inspectOutput();
  world.ledger.take();
  for (const line of world.ledger.unexplained((digest) => world.watch.removals(digest))) {
    world.found(line);
  }
  world.tally.add('removals from the store', world.watch.total);
  world.tally.add('blobs fetched from upstreams', world.ledger.total);
  world.tally.add('blobs fetched while the disk was full', world.ledger.uncounted);
  const findings = [...world.findings].map(([what, times]) => `${what} (${String(times)}×)`);
  return { findings, tally: world.tally };
}

/** Pulls one image after the other. */
export async function pullWhile(puller: Puller, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const isWhole = await puller.pullAny();
    // Nobody tries again at once, and a process that is down would else be asked in a tight loop.
    await sleep(isWhole ? 20 : 150);
  }
}
