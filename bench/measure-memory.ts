import { blobPath, type BlobContent } from './content.ts';
import { withServers, type Context } from './context.ts';
import type { Figures } from './figures.ts';
import type { Job } from './messages.ts';
import { pullManifest, warm } from './prime.ts';
import { groupMembers, memoryOf } from './proc.ts';
import type { Server } from './servers/server.ts';

const SAMPLE_INTERVAL = 100;
const MEGABYTE = 1e6;
/** More say nothing new: memory varies little between rounds, and the big blob takes long. */
const MOST_ROUNDS = 2;

export const MEMORY_CASES = [
  'idle',
  'slow readers, warm',
  'slow readers, cold',
  'big blob',
] as const;
export type MemoryCase = (typeof MEMORY_CASES)[number];

export const memoryMetric = (memoryCase: MemoryCase): string =>
  `resident memory, ${memoryCase}, MB`;

/** Resident memory under load; each case has a server of its own, freshly started. */
export async function measureMemory(context: Context, figures: Figures): Promise<void> {
  const rounds = Math.min(context.options.rounds, MOST_ROUNDS);
  for (let round = 0; round < rounds; round++) {
    for (const kind of context.kinds) {
      for (const memoryCase of MEMORY_CASES.slice(1)) {
        await withServers(context, [kind], async ([server]) => {
          if (server === undefined) return;
          const idle = memoryOf(groupMembers(server.group)).rss / MEGABYTE;
          figures.add(memoryMetric('idle'), server.name, round, idle);
          try {
            const megabytes = (await peakDuring(context, server, memoryCase)) / MEGABYTE;
            figures.add(memoryMetric(memoryCase), server.name, round, megabytes);
            context.note(`${memoryMetric(memoryCase)}: ${server.name} ${megabytes.toFixed(0)}`);
          } catch (error) {
            figures.fail(server.name, `${memoryMetric(memoryCase)}: ${String(error)}`);
          }
        });
      }
    }
  }
}

/** The highest resident memory of the server's group, bytes: the kernel's own record where one process is all, else by sampling. */
async function peakDuring(
  context: Context,
  server: Server,
  memoryCase: MemoryCase,
): Promise<number> {
  const { contents } = context;
  const image = memoryCase === 'slow readers, warm' ? contents.image : contents.coldImage;
  await pullManifest(server, image);
  if (memoryCase === 'slow readers, warm') await warm(context, server, image, contents.warm);
  let highest = 0;
  const sample = (): void => {
    const pids = groupMembers(server.group);
    const { rss, peak } = memoryOf(pids);
    highest = Math.max(highest, pids.length === 1 ? peak : rss);
  };
  const sampling = setInterval(sample, SAMPLE_INTERVAL);
  try {
    await pull(context, server, memoryCase);
    sample();
  } finally {
    clearInterval(sampling);
  }
  return highest;
}

async function pull(context: Context, server: Server, memoryCase: MemoryCase): Promise<void> {
  const { contents, load, options } = context;
  if (memoryCase === 'big blob') {
    const { failures } = await load.run({
      kind: 'burst',
      ...target(server, contents.coldImage.repository, contents.big),
      clients: 1,
      size: contents.big.size,
      digest: undefined,
    });
    if (failures.length > 0) throw new Error(failures.join('; '));
    return;
  }
  const isWarm = memoryCase === 'slow readers, warm';
  const blob = isWarm ? contents.warm : contents.slow;
  const image = isWarm ? contents.image : contents.coldImage;
  const job: Job & { kind: 'slow' } = {
    kind: 'slow',
    ...target(server, image.repository, blob),
    clients: options.slowReaders,
    rate: options.slowRate,
    duration: options.slowDuration,
  };
  const { reading, failures } = await load.run(job);
  if (reading !== options.slowReaders) {
    throw new Error(`only ${reading} of ${options.slowReaders} were reading (${failures[0]})`);
  }
}

const target = (server: Server, repository: string, blob: BlobContent) => ({
  port: server.port,
  path: blobPath(repository, blob.digest),
});
