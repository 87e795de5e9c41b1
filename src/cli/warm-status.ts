import { describeByteSize } from '../lib/byte-size.ts';
import type { ImagePlanned, WarmEvent, WarmProgress } from '../warm/warm-event.ts';
import { Rate } from './rate.ts';
import { describeSeconds } from './warm-words.ts';

/** What a person sees of a run while it goes on: a line for each image that is at work, and one for all. */
export class WarmStatus {
  readonly #jobs: number;
  readonly #atWork = new Map<string, ImagePlanned>();
  readonly #rate = new Rate();
  #progress: WarmProgress | undefined;
  #presentBytes = 0;
  #waiting = '';

  /** @param jobs how many images are shown at the same time */
  constructor(jobs: number) {
    this.#jobs = jobs;
  }

  /** @param now milliseconds of a clock that never goes back */
  note(event: WarmEvent, now: number): void {
    switch (event.kind) {
      case 'planned':
        this.#atWork.set(event.image, event);
        this.#presentBytes += event.present_bytes;
        break;
      case 'image':
        this.#atWork.delete(event.image);
        break;
      case 'waiting':
        this.#waiting = event.upstream;
        break;
      case 'progress':
        // As soon as something moves, nobody waits any more.
        if (event.bytes !== this.#progress?.bytes) this.#waiting = '';
        this.#progress = event;
        this.#rate.note(event.bytes, now);
        break;
      default:
    }
  }

  /** @param columns width of the terminal, in characters */
  lines(columns: number): string[] {
    const shown = [...this.#atWork.values()].slice(0, this.#jobs);
    const came = new Map(this.#progress?.at_work?.map((each) => [each.image, each]));
    const rest = this.#atWork.size - shown.length;
    return [
      ...shown.map((planned) => imageLine(planned, came.get(planned.image), columns)),
      ...(rest > 0 ? [`  and ${rest} more`] : []),
      this.total,
    ];
  }

  /** How far all of it has come. */
  get total(): string {
    if (this.#progress === undefined) return 'reading manifests …';
    const { bytes, total, images, images_done: done } = this.#progress;
    const share = total > 0 ? ` (${Math.floor((bytes / total) * 100)}%)` : '';
    const parts = [
      `${done} of ${images} images`,
      `${describeByteSize(bytes)} of ${describeByteSize(total)}${share}`,
    ];
    const rate = this.#rate.perSecond;
    if (this.#waiting !== '') parts.push(`waiting for ${this.#waiting}`);
    else if (rate !== undefined && total > bytes) {
      parts.push(`${describeByteSize(Math.round(rate))}/s`);
      if (rate > 0) parts.push(`${describeSeconds((total - bytes) / rate)} left`);
    }
    if (this.#presentBytes > 0) parts.push(`${describeByteSize(this.#presentBytes)} were there`);
    return parts.join(', ');
  }
}

type AtWork = NonNullable<WarmProgress['at_work']>[number];

/** An image, cut in the middle where it is too long: its registry and its tag say most. */
function imageLine(planned: ImagePlanned, came: AtWork | undefined, columns: number): string {
  const { image, bytes, present_bytes: present } = planned;
  const total = describeByteSize(came?.total ?? bytes - present);
  const amount = came === undefined ? total : `${describeByteSize(came.bytes)} of ${total}`;
  const there = present > 0 ? `, ${describeByteSize(present)} were there` : '';
  const figures = `  ${amount}${there}`;
  const room = Math.max(12, columns - 3 - figures.length);
  return `  ${shortened(image, room)}${figures}`;
}

function shortened(text: string, room: number): string {
  if (text.length <= room) return text;
  const tail = Math.floor((room - 1) / 2);
  return `${text.slice(0, room - 1 - tail)}…${text.slice(text.length - tail)}`;
}
