import { access, chmod, chown, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { domainToASCII } from 'node:url';
import { InvalidArgumentError, type Command } from 'commander';
import { formatListen, parseListen } from '../config/listen.ts';
import { isMissing, writeFilesAtomic } from '../lib/atomic-file.ts';
import { issueCertificate } from '../lib/issue-certificate.ts';
import { certificateAdvice } from './certificate-advice.ts';
import { CommandFailure, type CommandContext } from './context.ts';

interface Options {
  readonly host?: readonly string[];
  readonly days: number;
  readonly out: string;
  readonly force?: true;
  /** A global one: where the registry is served, which is a part of what clients write. */
  readonly listen?: string;
}

const day = 86_400_000;

/** As many as Apple's systems take from an authority that a user has added. */
const defaultDays = 825;

/** Clocks differ: a client whose clock is behind must not find it "not yet valid". */
const allowance = 3_600_000;

/** `baleen cert self-signed` */
export function addCertSelfSigned(cert: Command, context: CommandContext): void {
  cert
    .command('self-signed')
    .description('make a certificate, and say where it goes at Baleen and its clients')
    .option(
      '--host <name...>',
      'names and addresses that clients use (else this machine’s name, localhost, 127.0.0.1 and ::1)',
      collectHosts,
    )
    .option('--days <number>', 'how long it is good for', parseDays, defaultDays)
    .option('--out <directory>', 'where to put ca.crt, tls.crt and tls.key', 'tls')
    .option('--force', 'replace what is there')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const hosts = options.host ?? [...new Set([ownName(), 'localhost', '127.0.0.1', '::1'])];
      const directory = resolve(options.out);
      const now = Date.now();
      const validTo = new Date(now + options.days * day);
      const issued = await issueCertificate({
        hosts,
        validFrom: new Date(now - allowance),
        validTo,
      });
      const files = [
        { path: join(directory, 'ca.crt'), bytes: issued.authority },
        { path: join(directory, 'tls.key'), bytes: issued.key, mode: 0o600 },
        { path: join(directory, 'tls.crt'), bytes: issued.certificate },
      ];
      if (options.force !== true) await refuseExisting(files.map(({ path }) => path));
      try {
        const owners = await Promise.all(files.map(({ path }) => ownerOf(path)));
        await writeFilesAtomic(files, { tmpDir: directory });
        await Promise.all(owners.map((restore) => restore()));
      } catch (error) {
        throw new CommandFailure((error as Error).message, { cause: error });
      }
      const host = hosts.find((name) => !name.startsWith('*')) ?? hosts[0];
      const address = formatListen({ host, port: portOf(options.listen) });
      context.stdout(certificateAdvice({ directory, hosts, validTo, address }));
    });
}

async function refuseExisting(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const isThere = await access(path).then(
      () => true,
      (error: unknown) => !isMissing(error),
    );
    if (isThere) {
      throw new CommandFailure(
        `${path} is there already; --force replaces it, --out puts it elsewhere`,
      );
    }
  }
}

/** Gives what makes another file in this place as readable as the one that is there now, where one is. */
async function ownerOf(path: string): Promise<() => Promise<void>> {
  try {
    const { uid, gid, mode } = await stat(path);
    return async () => {
      if (process.getuid?.() === 0) await chown(path, uid, gid);
      await chmod(path, mode & 0o777);
    };
  } catch (error) {
    if (isMissing(error)) return () => Promise.resolve();
    throw error;
  }
}

/** Also `--host a,b` and several `--host`. */
function collectHosts(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...new Set([...earlier, ...text.split(',').map(parseHost)])];
}

/** RFC 1034, section 3.5, with `_` as some networks have it, and `*.` in front for any one label. */
const hostShape = /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

function parseHost(text: string): string {
  const bare = text.trim().replace(/^\[(.*)\]$/, '$1');
  // An address with a zone (fe80::1%eth0) is one of this machine only.
  if (isIP(bare) !== 0 && !bare.includes('%')) return bare;
  const name = domainToASCII(bare.replace(/^\*\./, '')).replace(/\.$/, '');
  const host = bare.startsWith('*.') ? `*.${name}` : name;
  if (host.length <= 253 && hostShape.test(host)) return host;
  throw new InvalidArgumentError('Expected a host name or an address, without a port.');
}

function ownName(): string {
  try {
    return parseHost(hostname());
  } catch {
    return 'localhost';
  }
}

function parseDays(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 36_500) return days;
  throw new InvalidArgumentError('Expected a number of days, from 1 to 36500.');
}

/** The configuration is not read: it may name the very files that are to be made. */
function portOf(listen: string | undefined): number {
  return (listen === undefined ? undefined : parseListen(listen))?.port ?? 5000;
}
