import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestKind } from '../request-kind.ts';
import type { SeenRequest } from './loopback-server.ts';

/** Something that goes wrong, or slowly, with one answer. Positions count the bytes of the answer's body. */
export interface Fault {
  /** Answered instead of the content. */
  readonly instead?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  /** Sent besides the content's own. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds before the headers. */
  readonly delay?: number;
  /** Waited for before the headers. */
  readonly before?: Promise<unknown>;
  /** The connection is closed without an answer. */
  readonly reset?: boolean;
  /** The connection is closed after so many bytes. */
  readonly truncateAt?: number;
  /** Nothing more is sent after so many bytes, until the promise settles, or ever. */
  readonly holdAt?: { readonly bytes: number; readonly until?: Promise<unknown> };
  /** One bit of this byte is flipped. */
  readonly flipBitAt?: number;
  /** Content-Length as declared, whatever the body's. */
  readonly declaredLength?: number;
  /** Neither Content-Length nor its end is known beforehand: chunked. */
  readonly chunked?: boolean;
  readonly omitDigest?: boolean;
  /** The whole with 200 where a part was asked for. */
  readonly ignoreRange?: boolean;
  /** Bytes a second. */
  readonly rate?: number;
}

/** A fault, and the requests it befalls. */
export interface FaultRule extends Fault {
  readonly on: RequestKind;
  /** Narrows the requests further. */
  readonly when?: (request: SeenRequest) => boolean;
  /** How many requests it befalls; without it, all. */
  readonly times?: number;
}

/** The faults a server has in store, in the order in which they were scripted. */
export class FaultScript {
  #rules: { readonly rule: FaultRule; left: number }[] = [];

  add(rule: FaultRule): void {
    this.#rules.push({ rule, left: rule.times ?? Infinity });
  }

  /** From now on all goes well. */
  clear(): void {
    this.#rules = [];
  }

  /** The first fault that befalls a request, used up by it; none is an empty fault. */
  next(request: SeenRequest): Fault {
    const match = this.#rules.find(
      ({ rule, left }) => left > 0 && rule.on === request.kind && (rule.when?.(request) ?? true),
    );
    if (match === undefined) return {};
    match.left -= 1;
    return match.rule;
  }
}

/** Does what a fault does before or instead of an answer; whether that was all. */
export async function interfere(answer: ServerResponse, fault: Fault): Promise<boolean> {
  if (fault.delay !== undefined) await sleep(fault.delay);
  await fault.before;
  if (fault.reset === true) {
    answer.destroy();
    return true;
  }
  for (const [name, value] of Object.entries(fault.headers ?? {})) answer.setHeader(name, value);
  if (fault.instead === undefined) return false;
  const { status, headers, body = '' } = fault.instead;
  answer.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(body);
  return true;
}
