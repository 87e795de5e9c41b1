/**
 * Measures Baleen beside docker-registry in proxy mode and nginx's proxy_cache, on loopback, in
 * one run: `npm run bench -- --help`. Rounds are interleaved, so that what else the machine does
 * meets all servers alike.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Calm } from './calm.ts';
import { blobOf, imageOf } from './content.ts';
import type { Contents, Context } from './context.ts';
import { Figures } from './figures.ts';
import { Load } from './load.ts';
import { measureBlobs } from './measure-blobs.ts';
import { measureCold } from './measure-cold.ts';
import { measureManifests } from './measure-manifests.ts';
import { measurePush } from './measure-push.ts';
import { measureMemory } from './measure-memory.ts';
import { HELP, parseOptions, type Options, type Section } from './options.ts';
import { report, type RunFacts } from './report.ts';
import { baleen } from './servers/baleen.ts';
import { dockerRegistry } from './servers/docker-registry.ts';
import { killAll } from './servers/launch.ts';
import { nginx } from './servers/nginx.ts';
import type { ServerKind } from './servers/server.ts';
import { Upstream } from './upstream.ts';

const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url));
const KINDS: readonly ServerKind[] = [baleen, dockerRegistry, nginx];

const MEASURES: Record<Section, (context: Context, figures: Figures) => Promise<void>> = {
  manifests: measureManifests,
  blobs: measureBlobs,
  cold: measureCold,
  push: measurePush,
  memory: measureMemory,
};

async function main(args: readonly string[]): Promise<void> {
  if (parseArgs({ args: [...args], options: {}, strict: false }).values['help'] === true) {
    process.stdout.write(HELP);
    return;
  }
  const options = parseOptions(args, RESULTS);
  const { kinds, programs, missing } = await findPrograms(options);
  note('making the contents');
  const contents = makeContents(options);
  const figures = new Figures();
  const upstream = await Upstream.start({
    images: [contents.image, contents.coldImage],
    blobs: [contents.warm, contents.slow, contents.big, ...contents.cold],
  });
  const load = new Load();
  const calm = new Calm();
  const stop = (): void => {
    killAll();
    upstream.kill();
    load.kill();
  };
  process.once('exit', stop);
  process.once('SIGINT', () => end(stop, 130));
  process.once('SIGTERM', () => end(stop, 143));
  try {
    const context: Context = { options, kinds, upstream, load, calm, contents, note };
    for (const section of options.only) {
      note(`— ${section}`);
      await MEASURES[section](context, figures);
    }
  } finally {
    stop();
    process.off('exit', stop);
  }
  await publish(figures, options, {
    date: new Date().toISOString().slice(0, 10),
    machine: `${availableParallelism()} cores and ${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    programs,
    missing,
    measurements: calm.measurements,
    disturbed: calm.disturbed,
  });
}

/** Which of the wanted servers are installed. Baleen's peers may be missing: the report says so. */
async function findPrograms(options: Options): Promise<{
  kinds: readonly ServerKind[];
  programs: readonly string[];
  missing: readonly string[];
}> {
  const kinds: ServerKind[] = [];
  const programs: string[] = [];
  const missing: string[] = [];
  for (const kind of KINDS.filter(({ name }) => options.servers.includes(name))) {
    const description = await kind.describe();
    if (description === undefined) {
      missing.push(`${kind.name}: not installed`);
      note(`NOT MEASURED: ${kind.name} is not installed`);
    } else {
      kinds.push(kind);
      programs.push(description);
    }
  }
  return { kinds, programs, missing };
}

function makeContents(options: Options): Contents {
  const { blobSize, upstreamRate, rounds, coldClients } = options;
  const warm = blobOf(1, blobSize, 0);
  const slow = blobOf(2, blobSize, upstreamRate);
  const big = blobOf(3, options.bigBlobSize, 0);
  const cold = Array.from({ length: rounds * coldClients.length }, (_, index) =>
    blobOf(100 + index, blobSize, upstreamRate),
  );
  return {
    warm,
    slow,
    big,
    cold,
    image: imageOf('library/bench', [warm]),
    coldImage: imageOf('library/cold', [slow, big, ...cold]),
  };
}

async function publish(figures: Figures, options: Options, facts: RunFacts): Promise<void> {
  const text = `${report(figures, options, facts)}\n`;
  process.stdout.write(`\n${text}`);
  if (options.output !== undefined) await writeFile(options.output, text);
  if (options.json !== undefined) {
    const raw = { ...facts, options, ...figures.toJSON() };
    await writeFile(options.json, `${JSON.stringify(raw, undefined, 2)}\n`);
  }
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

function end(stop: () => void, status: number): void {
  stop();
  process.exit(status);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
