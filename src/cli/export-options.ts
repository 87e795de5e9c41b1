import { readFile } from 'node:fs/promises';
import type { KeyObject } from 'node:crypto';
import { Option, type Command } from 'commander';
import { readSigningKey } from '../bundle/bundle-signature.ts';
import { parseCompression, type CompressionChoice } from '../bundle/compression.ts';
import type { Choice } from '../bundle/image-walk.ts';
import { passphraseVariable } from '../config/environment.ts';
import { parseByteSize } from '../lib/byte-size.ts';
import { isRegistryError } from '../oci/errors.ts';
import { parsePlatforms } from '../oci/platform.ts';
import { CommandFailure, type CommandContext } from './context.ts';

/** As the command line has them. */
export interface ExportOptions {
  readonly file?: readonly string[];
  readonly output?: string;
  readonly platform?: string;
  readonly referrers?: true;
  readonly since?: readonly string[];
  readonly have?: readonly string[];
  readonly split?: string;
  readonly compress?: string;
  readonly signKey?: string;
  readonly passphraseFile?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

/** Adds the options of `baleen export`. */
export function addExportOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '-f, --file <file>',
        'also the images that a file names, as for baleen warm; - is standard input',
      ).argParser(gather),
    )
    .option('-o, --output <file>', 'write this file, or to standard output for -')
    .option(
      '--platform <list>',
      'of images for several platforms take these, such as linux/amd64,linux/arm64, or all (else what is stored)',
    )
    .option('--referrers', 'take signatures, SBOMs and attestations along')
    .addOption(
      new Option('--since <bundle>', 'leave out blobs that this earlier bundle had').argParser(
        gather,
      ),
    )
    .addOption(
      new Option(
        '--have <file>',
        'leave out blobs that this output of baleen inventory names',
      ).argParser(gather),
    )
    .option('--split <size>', 'write FILE.001, FILE.002 … of this size each, such as 4GiB')
    .option('--compress <how>', 'zstd or gzip, or with a level: zstd:19')
    .option('--sign-key <file>', 'sign it with this Ed25519 key (PEM)')
    .option(
      '--passphrase-file <file>',
      `the passphrase of that key, if it has one (else ${passphraseVariable})`,
    )
    .option('--dry-run', 'only say what would be written, and whether all of it is there')
    .option('--json', 'print one line of JSON for the plan, now and then one, and one for the end');
}

function gather(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** What they mean. */
export interface ExportChoices {
  /** A path; `-` for standard output. Of a dry run perhaps none. */
  readonly output: string;
  readonly choice: Choice;
  /** Bytes of a part. */
  readonly partSize: number | undefined;
  readonly compression: CompressionChoice | undefined;
}

/** Ends the command where one of them means nothing. */
export function exportChoices(command: Command, options: ExportOptions): ExportChoices {
  const { output = '', platform, split, compress, dryRun } = options;
  if (output === '' && dryRun !== true) command.error('error: -o FILE says what to write');
  const partSize = split === undefined ? undefined : parseByteSize(split);
  if (split !== undefined && (partSize ?? 0) < smallestPart) {
    command.error(`error: --split expects a size of at least 1MiB, such as 4GiB`);
  }
  if (split !== undefined && output === '-') {
    command.error('error: standard output cannot be split');
  }
  const compression = compress === undefined ? undefined : parseCompression(compress);
  if (compress !== undefined && compression === undefined) {
    command.error('error: --compress expects zstd (1 to 19, such as zstd:9) or gzip (1 to 9)');
  }
  return { output, choice: choiceOf(command, platform), partSize, compression };
}

/** Smaller parts are a mistake: the index alone takes more. */
const smallestPart = 1024 * 1024;

function choiceOf(command: Command, platform: string | undefined): Choice {
  if (platform === undefined) return 'stored';
  try {
    return parsePlatforms(platform.split(','));
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    return command.error(`error: ${error.message}`);
  }
}

/**
 * The key to sign with.
 * @throws CommandFailure
 */
export async function signingKey(
  { signKey, passphraseFile }: ExportOptions,
  { env }: CommandContext,
): Promise<KeyObject | undefined> {
  if (signKey === undefined) return undefined;
  const passphrase =
    passphraseFile === undefined
      ? env[passphraseVariable]
      : (await textOf(passphraseFile)).replace(/\r?\n$/, '');
  const pem = await textOf(signKey);
  try {
    return readSigningKey(pem, passphrase === '' ? undefined : passphrase);
  } catch (error) {
    // Never with the cause: it may tell of what is in the file.
    throw isRegistryError(error) ? new CommandFailure(`${signKey}: ${error.message}`) : error;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CommandFailure((cause as Error).message, { cause });
  }
}
