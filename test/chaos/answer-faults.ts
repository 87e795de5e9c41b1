import type { Fault, FaultRule } from '../support/scripted/fault.ts';
import type { RequestKind } from '../support/request-kind.ts';
import type { Random } from '../support/random.ts';
import type { FaultKind } from './schedule.ts';

/** How the answers of an upstream go wrong for a while. */
export interface AnswerFault {
  /** The requests it befalls. */
  readonly on: readonly RequestKind[];
  /** The most of them that it befalls. */
  readonly times: number;
  readonly fault: Fault;
}

const bodies = ['blob-get', 'cdn'] as const;
const manifests = ['manifest-get', 'manifest-head'] as const;
const everything = [...manifests, 'blob-get', 'blob-head', 'cdn'] as const;

/** What a kind of fault does to the answers of upstreams; undefined for those that do other things. */
export function answerFault(kind: FaultKind, random: Random): AnswerFault | undefined {
  // Most are somewhere in the middle of a body, some right at its begin.
  const somewhere = random.pick([0, 100, 5_000, 50_000, 300_000, 700_000]);
  const some = random.between(1, 4);
  switch (kind) {
    case 'cut':
      return { on: bodies, times: some, fault: { truncateAt: somewhere } };
    case 'flip-bit':
      return {
        on: [...bodies, 'manifest-get'],
        times: some,
        fault: { flipBitAt: random.between(0, 9) },
      };
    case 'stall':
      return { on: bodies, times: some, fault: { holdAt: { bytes: somewhere } } };
    case 'trickle':
      return { on: bodies, times: some, fault: { rate: random.between(100_000, 500_000) } };
    case 'reset':
      return { on: everything, times: 10, fault: { reset: true } };
    case 'rate-limit':
      return { on: everything, times: 5, fault: instead(429, '', random.pick(['1', '2'])) };
    case 'server-error':
      return { on: everything, times: 10, fault: instead(random.pick([500, 502, 503]), 'oops') };
    case 'html-page':
      return { on: everything, times: 3, fault: instead(200, '<html>Log in</html>') };
    case 'hang':
      return { on: everything, times: 2, fault: { before: new Promise(() => undefined) } };
    case 'cdn-denial':
      return { on: ['cdn'], times: some, fault: instead(403, '<Error>AccessDenied</Error>') };
    default:
      return undefined;
  }
}

function instead(status: number, body: string, retryAfter?: string): Fault {
  const type = body.startsWith('<') ? 'text/html' : 'text/plain';
  const headers = {
    'content-type': type,
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
  };
  return { instead: { status, headers, body } };
}

/** The rules of a fault, in force while `isOn` says so; `befell` is told of each request. */
export function rulesOf(
  { on, times, fault }: AnswerFault,
  isOn: () => boolean,
  befell: (path: string) => void,
): FaultRule[] {
  let left = times;
  return on.map((kind) => ({
    ...fault,
    on: kind,
    when({ path }) {
      if (left <= 0 || !isOn()) return false;
      left -= 1;
      befell(path);
      return true;
    },
  }));
}
