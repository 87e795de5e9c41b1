import { Random } from '../support/random.ts';

/** Everything that can happen, and the lane in which one such thing has to end before the next begins. */
const lanes = {
  /** Bodies, for some answers of the upstreams. */
  cut: undefined,
  'flip-bit': undefined,
  stall: undefined,
  trickle: undefined,
  /** Whole answers of the upstreams, for a while. */
  reset: undefined,
  'rate-limit': undefined,
  'server-error': undefined,
  'html-page': undefined,
  hang: undefined,
  'cdn-denial': undefined,
  'token-failure': undefined,
  'token-revocation': undefined,
  'upstream-outage': 'upstream',
  'redis-kill': 'redis',
  'redis-pause': 'redis',
  'redis-flush': 'redis',
  'baleen-kill': 'baleen',
  'baleen-restart': 'baleen',
  'baleen-reload': 'baleen',
  // In the lane of restarts: what a full disk broke has to be known to the process that is asked.
  'disk-full': 'baleen',
  /** Committed files that somebody or something removes, or cuts short. */
  'file-loss': undefined,
  /** What operators do meanwhile. */
  purge: 'operator',
  verify: 'operator',
  'abort-storm': undefined,
  'tag-move': undefined,
  'skopeo-copy': 'skopeo',
} as const;

/** Something that happens to Baleen or around it. */
export type FaultKind = keyof typeof lanes;

export const faultKinds = Object.keys(lanes) as FaultKind[];

/** One thing that happens. */
export interface ScheduledFault {
  /** Milliseconds from the beginning of the run. */
  readonly at: number;
  readonly kind: FaultKind;
  /** Milliseconds, where it is something that lasts. */
  readonly lasts: number;
  /** What else has to be chosen, is chosen with this. */
  readonly seed: number;
}

/** Milliseconds at the end of a run in which nothing new begins. */
const lastCalls = 1_500;

/** Where a fault has to wait for another; undefined where it need not. */
export function laneOf(kind: FaultKind): string | undefined {
  return lanes[kind];
}

/**
 * What happens in a run, and when: a pure function of the seed and the length of the run. The
 * kinds come like cards from a shuffled deck, so that each comes about as often as any other.
 * @param length of the run, in milliseconds
 */
export function scheduleOf(seed: number, length: number): ScheduledFault[] {
  const random = new Random(seed);
  const faults: ScheduledFault[] = [];
  const busyUntil = new Map<string, number>();
  let deck: FaultKind[] = [];
  for (let at = random.between(500, 1_000); at < length - lastCalls;) {
    if (deck.length === 0) deck = random.shuffled(faultKinds);
    const kind = deck.pop() as FaultKind;
    const fault = { at, kind, lasts: random.between(300, 2_500), seed: random.between(1, 2 ** 30) };
    const lane = laneOf(kind);
    if (lane === undefined || (busyUntil.get(lane) ?? 0) <= at) {
      faults.push(fault);
      if (lane !== undefined) busyUntil.set(lane, at + fault.lasts);
    }
    at += random.between(100, 800);
  }
  return faults;
}
