import { setTimeout as sleep } from 'node:timers/promises';
import { open, type LoadConnection } from './load-connection.ts';
import { now, type Job, type WindowResult } from './messages.ts';
import { cpuSeconds, groupMembers } from './proc.ts';

/** Keeps every connection busy, one request after the other, and counts what arrives within the window. */
export async function runWindow(job: Job & { kind: 'window' }): Promise<WindowResult> {
  let bytes = 0;
  let responses = 0;
  let failure: string | undefined;
  const connections = Array.from({ length: job.connections }, () => {
    const connection: LoadConnection = open(job, {
      head: (status) => {
        if (status !== 200) failure ??= `status ${status}`;
      },
      body: (_buffer, start, end) => {
        bytes += end - start;
      },
      end: () => {
        responses++;
        connection.request();
      },
      failed: (reason) => {
        failure ??= reason;
      },
    });
    return connection;
  });
  const pids = groupMembers(job.group);
  const sample = () => ({
    at: now(),
    bytes,
    responses,
    server: cpuSeconds(pids),
    client: process.cpuUsage(),
  });
  await sleep(job.warmUp);
  const first = sample();
  await sleep(job.window);
  const last = sample();
  const broken = failure;
  for (const { socket } of connections) socket.destroy();
  if (broken !== undefined) throw new Error(`${job.path}: ${broken}`);
  return {
    seconds: (last.at - first.at) / 1000,
    bytes: last.bytes - first.bytes,
    responses: last.responses - first.responses,
    serverCpuSeconds: last.server - first.server,
    clientCpuSeconds:
      (last.client.user + last.client.system - first.client.user - first.client.system) / 1e6,
  };
}
