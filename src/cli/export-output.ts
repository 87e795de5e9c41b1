import { open, realpath, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CompressedOutput } from '../bundle/compressed-output.ts';
import type { CompressionChoice } from '../bundle/compression.ts';
import type { BundleOutput } from '../bundle/bundle-output.ts';
import { DescriptorOutput } from '../bundle/descriptor-output.ts';
import { FileOutput } from '../bundle/file-output.ts';
import { partName, SplitOutput } from '../bundle/split-output.ts';
import { describeByteSize } from '../lib/byte-size.ts';
import { CommandFailure, type CommandContext } from './context.ts';

/** Where a bundle is to go. */
export interface Destination {
  /** A path, or `-` for standard output. */
  readonly output: string;
  /** Bytes of a part; undefined for one file. */
  readonly partSize: number | undefined;
  readonly compression: CompressionChoice | undefined;
}

/** An output, and what there is to be said of it in the end. */
export interface OpenOutput {
  readonly output: BundleOutput;
  /** The files that were written. */
  readonly files: () => string[];
  /** Bytes that were written. */
  readonly written: () => number;
}

/**
 * Opens what a bundle is written to.
 * @param bytes of the bundle, before it is compressed
 * @throws CommandFailure where it cannot be, or there is no room
 */
export async function openOutput(
  { output: path, partSize, compression }: Destination,
  { stdoutFd = 1 }: CommandContext,
  bytes: number,
): Promise<OpenOutput> {
  if (path === '-') {
    const counted = new CountedOutput(new DescriptorOutput(stdoutFd));
    return opened(counted, compression, () => ['-']);
  }
  const target = await realpath(path).catch(() => resolve(path));
  const there = await stat(target).catch(() => undefined);
  if (there?.isDirectory() === true) throw new CommandFailure(`${path} is a folder`);
  if (there !== undefined && !there.isFile() && partSize === undefined) {
    // A pipe or a device is written to, and never replaced.
    const file = await open(target, 'w');
    const counted = new CountedOutput(new DescriptorOutput(file.fd, () => file.close()));
    return opened(counted, compression, () => [path]);
  }
  if (compression === undefined) await assertRoom(dirname(target), bytes);
  if (partSize === undefined) {
    return opened(new CountedOutput(await FileOutput.create(target)), compression, () => [path]);
  }
  const split = await SplitOutput.create(target, partSize);
  return opened(new CountedOutput(split), compression, () =>
    Array.from({ length: split.count }, (_, index) => partName(path, index + 1)),
  );
}

function opened(
  counted: CountedOutput,
  compression: CompressionChoice | undefined,
  files: () => string[],
): OpenOutput {
  const output = compression === undefined ? counted : new CompressedOutput(compression, counted);
  return { output, files, written: () => counted.bytes };
}

/** Better now than after an hour. */
async function assertRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw new CommandFailure(
    `the bundle takes ${describeByteSize(bytes)}, and there are ${describeByteSize(bavail * bsize)} free in ${folder}`,
  );
}

/** Counts what goes out. */
class CountedOutput implements BundleOutput {
  readonly #inner: BundleOutput;
  bytes = 0;

  constructor(inner: BundleOutput) {
    this.#inner = inner;
  }

  async write(bytes: Buffer): Promise<void> {
    await this.#inner.write(bytes);
    this.bytes += bytes.length;
  }

  finish(): Promise<void> {
    return this.#inner.finish();
  }

  abandon(): Promise<void> {
    return this.#inner.abandon();
  }
}
