import type { BlobContent, ImageContent } from './content.ts';

/** The moment now, milliseconds, on a clock that all processes of this machine share. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** What the upstream's process is given. */
export interface UpstreamContent {
  readonly images: readonly ImageContent[];
  readonly blobs: readonly BlobContent[];
}

/** What the upstream saw of one path since it was last asked. */
export interface PathRecord {
  gets: number;
  heads: number;
  /** Milliseconds from each GET's arrival to its first body byte being written. */
  readonly firstBytes: number[];
}

export type UpstreamCommand =
  | { readonly kind: 'content'; readonly content: UpstreamContent }
  /** Answers the records and starts new ones. */
  | { readonly kind: 'records' };

export type UpstreamAnswer = { readonly port: number } | Readonly<Record<string, PathRecord>>;

/** Where a job's requests go. */
export interface Target {
  readonly port: number;
  readonly path: string;
  readonly accept?: string | undefined;
}

/** A job of the load generator. Times in milliseconds. */
export type Job =
  /** Requests in a closed loop over keep-alive connections; only what falls into the window counts. */
  | (Target & {
      readonly kind: 'window';
      readonly connections: number;
      readonly warmUp: number;
      readonly window: number;
      /** The server's process group, whose CPU time is taken. */
      readonly group: number;
    })
  /** So many clients at once, one response each. */
  | (Target & {
      readonly kind: 'burst';
      readonly clients: number;
      readonly size: number;
      /** Checked on the first client; undefined to check sizes only. */
      readonly digest: string | undefined;
    })
  /** Clients that read slowly for a while, then leave. */
  | (Target & {
      readonly kind: 'slow';
      readonly clients: number;
      /** Bytes a second. */
      readonly rate: number;
      /** From when all clients are being answered. */
      readonly duration: number;
    })
  /** One client that pushes a blob of one block, repeated. */
  | (Target & {
      readonly kind: 'push';
      readonly seed: number;
      readonly size: number;
      readonly digest: string;
    });

export interface PushResult {
  /** From the first request to the last answer. */
  readonly seconds: number;
  /** What of it passed after the last byte was answered for. */
  readonly closingSeconds: number;
}

export interface WindowResult {
  readonly seconds: number;
  readonly bytes: number;
  readonly responses: number;
  readonly serverCpuSeconds: number;
  readonly clientCpuSeconds: number;
}

export interface BurstResult {
  /** From the job's start to each client's first body byte, milliseconds. */
  readonly firstBytes: readonly number[];
  /** From the job's start to the last byte of the last client, milliseconds. */
  readonly last: number;
  /** What went wrong, a line each. Such clients have no figures. */
  readonly failures: readonly string[];
}

export interface SlowResult {
  /** Clients that had their head and were still reading at the end. */
  readonly reading: number;
  readonly bytes: number;
  readonly failures: readonly string[];
}

export type JobResult<J extends Job> = J['kind'] extends 'window'
  ? WindowResult
  : J['kind'] extends 'burst'
    ? BurstResult
    : J['kind'] extends 'push'
      ? PushResult
      : SlowResult;

/** How a child process answers: with the value, or with what went wrong. */
export type Answer<T> = { readonly value: T } | { readonly error: string };
