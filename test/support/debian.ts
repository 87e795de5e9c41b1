import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runDirectory } from './run-directory.ts';
import { waitFor } from './wait-for.ts';

/**
 * The real programs that the tests use, and the Debian packages that hold them; where there are
 * several packages, the later are tried where the earlier did not bring the program.
 */
const packages = {
  buildah: ['buildah'],
  busybox: ['busybox-static'],
  containerd: ['containerd'],
  curl: ['curl'],
  docker: ['docker.io', 'docker-cli'],
  'docker-registry': ['docker-registry'],
  dockerd: ['docker.io'],
  htpasswd: ['apache2-utils'],
  ip: ['iproute2'],
  nsenter: ['util-linux'],
  openssl: ['openssl'],
  podman: ['podman'],
  python3: ['python3'],
  'redis-server': ['redis-server'],
  runc: ['runc'],
  skopeo: ['skopeo'],
} as const;

/** A program that can be asked for. */
export type Program = keyof typeof packages;

/**
 * Sees to it that programs are there. Where the tests run as root, the Debian packages of all
 * missing programs are installed, once a run.
 * @returns why they cannot be had; undefined where they are there
 */
export async function provide(...programs: readonly Program[]): Promise<string | undefined> {
  if (missing(programs).length === 0) return undefined;
  const failure = await oncePerRun('packages', install);
  const still = missing(programs);
  if (still.length === 0) return undefined;
  return `missing ${still.join(', ')} (${failure || 'not in the packages installed'})`;
}

/** Where a program is, or undefined. */
export function which(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function missing(programs: readonly Program[]): Program[] {
  return programs.filter((program) => which(program) === undefined);
}

/** Installs the packages of everything that is missing; gives what went wrong, or ''. */
async function install(): Promise<string> {
  if (process.getuid?.() !== 0) return 'not root, so nothing was installed';
  if (which('apt-get') === undefined) return 'no apt-get here';
  const programs = Object.keys(packages) as Program[];
  let failure = await apt('update');
  for (const choice of [0, 1]) {
    const wanted = missing(programs).map((program) => packages[program][choice]);
    const names = [...new Set(wanted.filter((name) => name !== undefined))];
    if (names.length === 0) continue;
    failure = await apt('install', '-y', '--no-install-recommends', ...names);
  }
  return failure;
}

/** Runs apt-get without questions and without starting what it installs; gives its last words on failure, or ''. */
async function apt(...args: readonly string[]): Promise<string> {
  const child = spawn('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (text: Buffer): void => {
    output = (output + text.toString()).slice(-2000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0 ? '' : `apt-get ${args.join(' ')}: ${output.trim().split('\n').at(-1) ?? ''}`;
}

/** Does a thing once for all workers of this run; the others wait and share the answer. */
async function oncePerRun(name: string, work: () => Promise<string>): Promise<string> {
  const answer = join(runDirectory(), `${name}.done`);
  try {
    await mkdir(join(runDirectory(), `${name}.lock`));
  } catch {
    const told = await waitFor(name, () => readFile(answer, 'utf8'), 600_000);
    return told.trim();
  }
  const result = await work();
  await writeFile(`${answer}.new`, `${result}\n`);
  await rename(`${answer}.new`, answer);
  return result;
}
