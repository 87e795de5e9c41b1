import type { Outcome } from './client.ts';
import type { Condition } from './conditions.ts';

/** What an answer has to be if it is a good one. */
export interface Expectation {
  /** The digests that a complete body may have. */
  readonly digests: ReadonlySet<string>;
  /** Bytes of the whole, where it is known. */
  readonly size?: number;
  /** The digest that a complete part may have. */
  readonly part?: string;
  /**
   * The upstream sent wrong bytes of it: parts of a running download are answered before the whole
   * is verified, so one of them may be wrong.
   */
  readonly isSpoilt?: boolean;
}

/** Whether a condition held during a request. */
export type Held = (condition: Condition) => boolean;

/**
 * What is wrong with an answer that no fault explains; undefined where it is right, or an honest
 * failure. An answer that broke off is one: its client knows that it failed.
 */
export function judge(outcome: Outcome, expected: Expectation, held: Held): string | undefined {
  const { status, hung, aborted, complete } = outcome;
  if (hung) return 'did not end';
  if (aborted) return undefined;
  if (status === 0) return held('down') ? undefined : 'got no answer';
  if (status === 200 || status === 206) {
    return complete ? wrongContent(outcome, expected) : undefined;
  }
  if (!complete) return held('down') ? undefined : `broke off an error ${String(status)}`;
  return wrongStatus(outcome, held) ?? wrongForm(outcome);
}

function wrongContent(outcome: Outcome, expected: Expectation): string | undefined {
  const { digests, size, part, isSpoilt } = expected;
  const { ask, status, digest, received, headers } = outcome;
  const named = String(headers['docker-content-digest'] ?? '');
  if (named !== '' && !digests.has(named)) return `named the digest ${named}`;
  if (ask.method === 'HEAD') {
    const length = headers['content-length'];
    if (size === undefined || length === undefined || Number(length) === size) return undefined;
    return `told a size of ${length} instead of ${String(size)}`;
  }
  if (status === 206) {
    return digest === part || isSpoilt === true
      ? undefined
      : `sent a wrong part of ${String(received)} bytes`;
  }
  if (!digests.has(digest)) return `sent ${digest}, ${String(received)} bytes`;
  return named === '' || named === digest ? undefined : `sent ${digest} as ${named}`;
}

function wrongStatus({ status }: Outcome, held: Held): string | undefined {
  switch (status) {
    case 429:
    case 502:
    case 503:
    case 504:
      return undefined;
    case 401:
    case 403:
    case 404:
      return held('denied') ? undefined : `answered ${String(status)}`;
    case 500:
    case 507:
      return held('disk') ? undefined : `answered ${String(status)}`;
    default:
      return `answered ${String(status)}`;
  }
}

/** Errors have the form of the distribution specification, and passing ones say when to come back. */
function wrongForm({ ask, status, headers, head }: Outcome): string | undefined {
  const comesBack = [429, 503, 504].includes(status);
  if (comesBack && headers['retry-after'] === undefined) {
    return `answered ${String(status)} without Retry-After`;
  }
  if (ask.method === 'HEAD') return undefined;
  try {
    const { errors } = JSON.parse(head.toString()) as { errors: { code: string }[] };
    return typeof errors[0]?.code === 'string' ? undefined : 'sent an error without a code';
  } catch {
    return `answered ${String(status)} with ${JSON.stringify(head.toString().slice(0, 80))}`;
  }
}
