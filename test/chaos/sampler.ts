import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from './world.ts';

/** What a process holds. */
export interface Footprint {
  readonly descriptors: number;
  /** Bytes. */
  readonly resident: number;
}

/** Milliseconds between two samples. */
const interval = 250;

/** The open descriptors and the resident memory of a process (proc(5)). */
export function footprint(pid: number): Footprint {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  const descriptors = readdirSync(`/proc/${String(pid)}/fd`).length;
  return { descriptors, resident: kilobytes * 1024 };
}

/** Looks at a run from outside, a few times a second, until it is told to end. */
export async function sample(world: World, signal: AbortSignal): Promise<void> {
  let inFlightBefore = 0;
  while (!signal.aborted) {
    world.ledger.take();
    world.conditions.forget(performance.now() - 120_000);
    world.inspectProcess();
    inFlightBefore = await sampleStore(world, inFlightBefore).catch(() => inFlightBefore);
    await sleep(interval, undefined, { signal }).catch(() => undefined);
  }
}

/** The store's size against its limit, which may be exceeded by the downloads in flight. */
async function sampleStore(world: World, inFlightBefore: number): Promise<number> {
  const { baleen, tally, maxSize, content } = world;
  const text = await metrics(baleen.operationsUrl);
  const inFlight = valueOf(text, 'baleen_downloads_in_flight');
  const told = valueOf(text, 'baleen_store_bytes');
  const { descriptors, resident } = footprint(baleen.process.pid);
  tally.peak('peak of open descriptors', descriptors);
  tally.peak('peak of resident bytes', resident);
  tally.peak('peak of downloads in flight', inFlight);
  const allowed = maxSize + Math.max(inFlight, inFlightBefore) * content.largest;
  const committed = await world.watch.bytes();
  tally.peak('peak of committed bytes', committed);
  tally.peak('peak of committed bytes, as told', told);
  const sizes: [number, string][] = [
    [committed, 'were committed'],
    [told, 'were told of as committed'],
  ];
  for (const [bytes, what] of sizes) {
    if (bytes <= allowed) continue;
    world.found(`${String(bytes)} bytes ${what}, of ${String(maxSize)} allowed`);
  }
  return inFlight;
}

async function metrics(url: string): Promise<string> {
  const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) });
  return answer.text();
}

/** The value of a metric without labels, 0 where there is none. */
function valueOf(text: string, name: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length) ?? 0);
}
