import { execFile, spawn } from 'node:child_process';
import { openSync, closeSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ServerName } from '../options.ts';
import { groupMembers } from '../proc.ts';
import type { Server } from './server.ts';

const BOOT_TIMEOUT = 15_000;
const STOP_TIMEOUT = 5_000;

const running = new Map<number, string>();

/** What a launch needs, once its folder and its port are known. */
export interface LaunchPlan {
  readonly command: string;
  readonly args: readonly string[];
  /** Files to write first, by absolute path. */
  readonly files: Readonly<Record<string, string>>;
}

/** Starts a program in a process group and a temporary folder of its own, and waits until it answers. */
export async function launch(
  name: ServerName,
  plan: (folder: string, port: number) => Promise<LaunchPlan>,
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), `bench-${name}-`));
  const port = await freePort();
  const { command, args, files } = await plan(folder, port);
  for (const [path, text] of Object.entries(files)) await writeFile(path, text);
  const log = join(folder, 'output.log');
  const descriptor = openSync(log, 'a');
  const child = spawn(command, args, {
    cwd: folder,
    detached: true,
    stdio: ['ignore', descriptor, descriptor],
  });
  closeSync(descriptor);
  child.on('error', () => undefined);
  const group = child.pid ?? 0;
  if (group !== 0) running.set(group, folder);
  const stop = async (): Promise<void> => {
    if (group !== 0) await endGroup(group);
    running.delete(group);
    remove(folder);
  };
  try {
    await untilAnswering(port, () => group !== 0 && child.exitCode === null);
  } catch (error) {
    const output = (await readFile(log, 'utf8').catch(() => '')).slice(-2_000);
    await stop();
    throw new Error(`${name} does not start:\n${output}`, { cause: error });
  }
  return { name, port, group, stop };
}

/** Ends everything that was launched, at once: for signals and last resorts. */
export function killAll(): void {
  for (const [group, folder] of running) {
    signalGroup(group, 'SIGKILL');
    remove(folder);
  }
  running.clear();
}

/** What a program prints when asked for its version, both streams; undefined where there is no such program. */
export async function versionOf(
  command: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args);
    return `${stdout}${stderr}`.trim();
  } catch {
    return undefined;
  }
}

/** A port of 127.0.0.1 that is free at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const listening = Promise.withResolvers<number>();
  server.once('error', listening.reject);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    listening.resolve(typeof address === 'object' && address !== null ? address.port : 0);
  });
  const port = await listening.promise;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  return port;
}

async function untilAnswering(port: number, alive: () => boolean): Promise<void> {
  const deadline = Date.now() + BOOT_TIMEOUT;
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/v2/`);
      await response.arrayBuffer();
      if (response.ok) return;
    } catch (error) {
      if (!alive() || Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error('GET /v2/ never answered 200');
    await sleep(25);
  }
}

async function endGroup(group: number): Promise<void> {
  signalGroup(group, 'SIGTERM');
  const deadline = Date.now() + STOP_TIMEOUT;
  while (groupMembers(group).length > 0 && Date.now() < deadline) await sleep(25);
  signalGroup(group, 'SIGKILL');
  while (groupMembers(group).length > 0 && Date.now() < deadline + STOP_TIMEOUT) await sleep(25);
}

/** A server that is being killed may still put a file in: then it is tried again. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  } catch (error) {
    process.stderr.write(`left behind: ${folder} (${String(error)})\n`);
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The group has ended already.
  }
}
