import { describeByteSize } from '../lib/byte-size.ts';
import { formatDuration } from '../lib/duration.ts';
import type { ImageDone, ImagePlanned, WarmSummary, WarmWaiting } from '../warm/warm-event.ts';
import { printable } from './printable.ts';

/** Room for the longest word for what became of an image. */
const column = 9;

/** What has to come for an image, before it comes. */
export function describePlanned({ image, platforms, ...of }: ImagePlanned): string {
  const coming = amount(of.bytes - of.present_bytes, of.blobs - of.present_blobs);
  const there = of.present_blobs > 0 ? `, ${describeByteSize(of.present_bytes)} there` : '';
  const on = platforms.length > 0 ? ` (${platforms.join(', ')})` : '';
  return `${'fetching'.padEnd(column)} ${image}  ${coming}${there}${on}`;
}

/** What became of an image. */
export function describeDone(done: ImageDone): string {
  const word = `${done.result.padEnd(column)} ${done.image}`;
  if (done.result === 'failed') return `${word}  ${done.code ?? 'UNKNOWN'}`;
  return done.fetched_blobs > 0
    ? `${word}  ${amount(done.fetched_bytes, done.fetched_blobs)}`
    : word;
}

/** Why nothing comes for a while. */
export function describeWaiting({ upstream, seconds, reason }: WarmWaiting): string {
  const why = {
    budget: 'spares what is left of its quota',
    'rate-limit': 'has said that it was asked too much',
    unavailable: 'cannot be reached',
  }[reason];
  return `${'waiting'.padEnd(column)} ${upstream} ${why}: ${describeSeconds(seconds)}`;
}

/** A failure, with all that there is to say about it. */
export function describeFailure({ image, code, message }: ImageDone): string {
  return `${image}: ${printable(`${code ?? 'UNKNOWN'}: ${message ?? ''}`)}`;
}

const outcomes = ['warmed', 'planned', 'present', 'failed'] as const;

/** Everything in two sentences. */
export function describeSummary(
  summary: WarmSummary,
  results: ReadonlyMap<string, number>,
): string {
  const { images, fetched_bytes, fetched_blobs, present_bytes, present_blobs, seconds } = summary;
  const parts = outcomes.flatMap((outcome) => {
    const number = results.get(outcome) ?? 0;
    return number > 0 ? `${number} ${outcome}` : [];
  });
  const fetched = fetched_blobs > 0 ? amount(fetched_bytes, fetched_blobs) : 'Nothing';
  const there = present_blobs > 0 ? `; ${amount(present_bytes, present_blobs)}` : '';
  const counts = `${count(images, 'image')}: ${parts.join(', ')}.`;
  return summary.dry_run
    ? `${counts} ${fetched} would be fetched${there && `${there} are there`}.`
    : `${counts} ${fetched} fetched in ${describeSeconds(seconds)}${there && `${there} were there`}.`;
}

/** `1 image`, `2 images`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** Seconds for people: `1h5m`, `12s`, `0s`. */
export function describeSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  // Beyond an hour nobody counts seconds.
  const rounded = whole >= 3_600 ? Math.round(whole / 60) * 60 : whole;
  return rounded === 0 ? '0s' : formatDuration(rounded * 1000);
}

function amount(bytes: number, blobs: number): string {
  return `${describeByteSize(bytes)} in ${count(blobs, 'blob')}`;
}
