import { describeByteSize } from '../lib/byte-size.ts';
import { bare, paint, prettyHead, quote, timestamp, type LineFormat } from './line-format.ts';
import type { LineWriter } from './line-writer.ts';
import { redactQuery } from './redact.ts';

/** What is told of a request when its answer has ended. */
export interface AccessEntry {
  /** The request's id, as answered to the client. */
  readonly id: string;
  /** The client's address. */
  readonly remote: string | undefined;
  /** Who has logged in; left out for who has not. */
  readonly account?: string | undefined;
  readonly method: string;
  /** As requested; only harmless query parameters are shown. */
  readonly path: string;
  /** What told the upstream: ns, prefix, host, default, hosted. */
  readonly route?: string | undefined;
  readonly upstream?: string | undefined;
  readonly repository?: string | undefined;
  /** Tag or digest. */
  readonly reference?: string | undefined;
  readonly status: number;
  /** hit, miss, collapsed, stale, revalidated. */
  readonly outcome?: string | undefined;
  /** The error's code, where the answer is one. */
  readonly error?: string | undefined;
  /** Where the client was told that it may not: pull, push or delete. */
  readonly refused?: string | undefined;
  /** Of the body, as far as it was sent. */
  readonly bytes: number;
  /** Of a blob that was pushed, as far as they came. */
  readonly received?: number | undefined;
  /** Milliseconds from the request's head to the end of the answer. */
  readonly durationMs: number;
  /** Milliseconds spent waiting for the upstream. */
  readonly upstreamMs?: number | undefined;
  readonly userAgent?: string | undefined;
  /** The connection broke before the answer was complete. */
  readonly aborted?: boolean | undefined;
}

/** Takes one entry a request. */
export interface AccessLog {
  write(entry: AccessEntry): void;
}

export interface AccessLogOptions {
  readonly format: LineFormat;
  readonly colour: boolean;
  readonly writer: LineWriter;
}

/** Clients choose their paths and names; a line stays a line. */
const longest = 1024;

/**
 * One line a request. winston takes 6 to 8 µs a line, too much for tens of thousands of requests
 * a second: here the line is put together by hand, in winston's format, and written in batches
 * through the same writer.
 */
export function createAccessLog({ format, colour, writer }: AccessLogOptions): AccessLog {
  return format === 'json'
    ? { write: (entry) => writer.write(jsonAccessLine(entry, Date.now())) }
    : { write: (entry) => writer.write(prettyAccessLine(entry, Date.now(), colour)) };
}

/** The line for machines. What is not known is left out. */
export function jsonAccessLine(entry: AccessEntry, time: number): string {
  const { status, bytes, aborted } = entry;
  return (
    `{"ts":"${timestamp(time)}","level":"info","msg":"request","id":${quote(entry.id)}` +
    field('remote', entry.remote) +
    field('account', entry.account) +
    field('method', entry.method) +
    field('path', redactQuery(entry.path)) +
    field('route', entry.route) +
    field('upstream', entry.upstream) +
    field('repository', entry.repository) +
    field('reference', entry.reference) +
    `,"status":${status}` +
    field('outcome', entry.outcome) +
    field('error', entry.error) +
    field('refused', entry.refused) +
    `,"bytes":${bytes}` +
    (entry.received === undefined ? '' : `,"received":${entry.received}`) +
    `,"duration_ms":${rounded(entry.durationMs)}` +
    (entry.upstreamMs === undefined ? '' : `,"upstream_ms":${rounded(entry.upstreamMs)}`) +
    field('user_agent', entry.userAgent) +
    (aborted === true ? ',"aborted":true}' : '}')
  );
}

function field(name: string, text: string | undefined): string {
  return text === undefined ? '' : `,"${name}":${quote(cut(text))}`;
}

function cut(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** Milliseconds to the microsecond. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

/** The line for people. */
export function prettyAccessLine(entry: AccessEntry, time: number, colour: boolean): string {
  const { status, outcome, error, aborted } = entry;
  const style = status >= 500 ? 'red' : status >= 400 ? 'yellow' : 'green';
  const parts = [
    prettyHead(time, 'info', colour),
    bare(entry.method),
    bare(cut(redactQuery(entry.path))),
    paint(style, String(status), colour),
    outcome ?? error,
    describeByteSize(entry.received ?? entry.bytes),
    `${Number(entry.durationMs.toPrecision(3))}ms`,
    entry.upstream,
    entry.remote,
    entry.account === undefined ? undefined : bare(cut(entry.account)),
    aborted === true ? paint('yellow', 'aborted', colour) : undefined,
  ];
  return parts.filter((part) => part !== undefined).join(' ');
}
