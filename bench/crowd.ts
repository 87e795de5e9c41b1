/**
 * A crowd of slow clients on one large warm blob, and what it costs the others: Baleen's resident
 * memory, and how long a warm manifest takes meanwhile. `node bench/crowd.ts [CLIENTS]`
 */
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { blobOf, blobPath, imageOf, manifestPath } from './content.ts';
import { Load } from './load.ts';
import { now } from './messages.ts';
import { pullManifest } from './prime.ts';
import { groupMembers, memoryOf } from './proc.ts';
import { baleen } from './servers/baleen.ts';
import { killAll } from './servers/launch.ts';
import type { Server } from './servers/server.ts';
import { Upstream } from './upstream.ts';

const BLOB_SIZE = 200_000_000;
/** Bytes a second of each client. */
const RATE = 16_384;
/** Milliseconds that the crowd has to arrive in: all at once, with as much as the kernel takes. */
const ARRIVAL = 6_000;
/** Milliseconds for which the whole crowd then reads, at least. */
const DURATION = 15_000;
/** What has to hold: megabytes, and milliseconds. */
const MOST_MEMORY = 400;
const LONGEST_WAIT = 50;
/** Milliseconds between two requests for a manifest. */
const PACE = 10;
/** Milliseconds between two looks at the memory. */
const SAMPLING = 200;

const clients = Number(process.argv[2] ?? 2_000);
const warm = blobOf(1, BLOB_SIZE, 0);
const image = imageOf('library/crowd', [warm]);

async function main(): Promise<boolean> {
  const upstream = await Upstream.start({ images: [image], blobs: [warm] });
  const load = new Load();
  process.once('exit', () => {
    killAll();
    upstream.kill();
    load.kill();
  });
  const server = await baleen.start(upstream.port);
  await pullManifest(server, image);
  const target = { port: server.port, path: blobPath(image.repository, warm.digest) };
  await load.run({ ...target, kind: 'burst', clients: 1, size: warm.size, digest: warm.digest });

  tell('before', await measure(server, sleep(3_000)));
  const crowd = load.run({ ...target, kind: 'slow', clients, rate: RATE, duration: DURATION });
  const arriving = await measure(server, sleep(ARRIVAL));
  tell('arriving', arriving);
  const during = await measure(server, crowd);
  tell('reading', during);
  const { reading, bytes, failures } = await crowd;
  say(`${reading} of ${clients} clients were reading; they took ${megabytes(bytes)} MB`);
  for (const failure of failures.slice(0, 5)) say(`  ${failure}`);
  tell('after', await measure(server, sleep(3_000)));
  const whole = together(arriving, during);
  tell('arriving and reading', whole);
  return reading === clients && whole.peak < MOST_MEMORY && whole.p99 < LONGEST_WAIT;
}

interface Measured {
  /** Milliseconds that each manifest took, the shortest first. */
  readonly times: readonly number[];
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** The highest resident memory, MB. */
  readonly peak: number;
}

/**
 * Asks for a warm manifest at an even pace until something is over. A request that is late does
 * not hold the next one up: a pause of the server shows in every request that falls into it.
 */
async function measure(server: Server, until: Promise<unknown>): Promise<Measured> {
  const agent = new Agent({ keepAlive: true });
  const path = manifestPath(image.repository, image.tag);
  const times: number[] = [];
  const running: Promise<void>[] = [];
  let peak = 0;
  const pull = async (): Promise<void> => {
    const started = now();
    await new Promise<void>((resolve, reject) => {
      get({ port: server.port, host: '127.0.0.1', path, agent }, (answer) => {
        answer.resume().once('end', resolve);
      }).once('error', reject);
    });
    times.push(now() - started);
  };
  const timer = setInterval(() => {
    running.push(pull());
  }, PACE);
  const pids = groupMembers(server.group);
  const sampling = setInterval(() => {
    peak = Math.max(peak, megabytes(memoryOf(pids).rss));
  }, SAMPLING);
  await until;
  clearInterval(timer);
  clearInterval(sampling);
  await Promise.all(running);
  agent.destroy();
  return summary(times, peak);
}

function summary(measured: readonly number[], peak: number): Measured {
  const times = measured.toSorted((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? Infinity;
  return { times, p50: at(0.5), p99: at(0.99), longest: at(0.9999), peak };
}

function together(one: Measured, other: Measured): Measured {
  return summary([...one.times, ...other.times], Math.max(one.peak, other.peak));
}

function tell(when: string, { times, p50, p99, longest, peak }: Measured): void {
  say(
    `${when}: ${peak} MB resident; ${times.length} warm manifests, ` +
      `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`,
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}

try {
  const holds = await main();
  say(holds ? 'It holds.' : `It does not hold: ${MOST_MEMORY} MB, ${LONGEST_WAIT} ms.`);
  process.exit(holds ? 0 : 1);
} catch (error) {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
}
