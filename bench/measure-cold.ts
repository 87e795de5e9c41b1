import { blobPath, type BlobContent } from './content.ts';
import { rotated, withServers, type Context } from './context.ts';
import type { Figures, Subject } from './figures.ts';
import type { BurstResult } from './messages.ts';
import { pullManifest } from './prime.ts';
import { cpuSeconds, groupMembers } from './proc.ts';
import type { Server } from './servers/server.ts';
import { percentile } from './statistics.ts';

/** What is measured for each number of clients on one cold blob. */
export const coldMetrics = (clients: number) => ({
  gets: `${clients} clients, cold blob, upstream GETs`,
  firstMedian: `${clients} clients, cold blob, first byte p50, ms`,
  firstLate: `${clients} clients, cold blob, first byte p99, ms`,
  firstLast: `${clients} clients, cold blob, first byte max, ms`,
  last: `${clients} clients, cold blob, last client, s`,
  cpu: `${clients} clients, cold blob, server CPU-s/GB delivered`,
});

/** Many clients at once on a blob that no server has, beside one client at the upstream itself. */
export async function measureCold(context: Context, figures: Figures): Promise<void> {
  const { contents, options } = context;
  await withServers(context, context.kinds, async (servers) => {
    for (const server of servers) await pullManifest(server, contents.coldImage);
    for (let round = 0; round < options.rounds; round++) {
      for (const [index, clients] of options.coldClients.entries()) {
        const blob = contents.cold[round * options.coldClients.length + index];
        if (blob === undefined) throw new Error('too few cold blobs');
        await direct(context, figures, round, clients, blob);
        for (const server of rotated(servers, round)) {
          await through(context, figures, round, clients, blob, server);
        }
      }
    }
  });
}

async function direct(
  context: Context,
  figures: Figures,
  round: number,
  clients: number,
  blob: BlobContent,
): Promise<void> {
  await context.calm.wait();
  const result = await burst(context, context.upstream.port, 1, blob);
  record(figures, 'direct', round, clients, result);
  context.note(describe(clients, 'direct', result));
}

async function through(
  context: Context,
  figures: Figures,
  round: number,
  clients: number,
  blob: BlobContent,
  server: Server,
): Promise<void> {
  await context.calm.wait();
  await context.upstream.records();
  const pids = groupMembers(server.group);
  const before = cpuSeconds(pids);
  const result = await burst(context, server.port, clients, blob);
  const cpu = cpuSeconds(pids) - before;
  const path = blobPath(context.contents.coldImage.repository, blob.digest);
  const seen = (await context.upstream.records())[path];
  figures.add(coldMetrics(clients).gets, server.name, round, seen?.gets ?? 0);
  if (result.failures.length > 0) {
    const [example] = result.failures;
    figures.fail(
      server.name,
      `${clients} clients, cold blob, round ${round + 1}: ${result.failures.length} failed (${example})`,
    );
    return;
  }
  record(figures, server.name, round, clients, result);
  const gigabytes = (clients * blob.size) / 1e9;
  figures.add(coldMetrics(clients).cpu, server.name, round, cpu / gigabytes);
  context.note(`${describe(clients, server.name, result)}, upstream GETs ${seen?.gets}`);
}

function burst(
  context: Context,
  port: number,
  clients: number,
  blob: BlobContent,
): Promise<BurstResult> {
  return context.load.run({
    kind: 'burst',
    port,
    path: blobPath(context.contents.coldImage.repository, blob.digest),
    clients,
    size: blob.size,
    digest: blob.digest,
  });
}

function record(
  figures: Figures,
  subject: Subject,
  round: number,
  clients: number,
  result: BurstResult,
): void {
  const metrics = coldMetrics(clients);
  figures.add(metrics.firstMedian, subject, round, percentile(result.firstBytes, 0.5));
  figures.add(metrics.firstLate, subject, round, percentile(result.firstBytes, 0.99));
  figures.add(metrics.firstLast, subject, round, percentile(result.firstBytes, 1));
  figures.add(metrics.last, subject, round, result.last / 1000);
}

function describe(clients: number, subject: Subject, result: BurstResult): string {
  const p50 = percentile(result.firstBytes, 0.5).toFixed(0);
  const p99 = percentile(result.firstBytes, 0.99).toFixed(0);
  return `${clients} clients, cold: ${subject} last ${(result.last / 1000).toFixed(2)} s, first byte p50 ${p50} ms, p99 ${p99} ms`;
}
