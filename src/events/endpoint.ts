import { setTimeout as delay } from 'node:timers/promises';
import { retryWait, type Backoff } from './backoff.ts';
import { isWanted, type ContentEvent, type EventFilter } from './content-event.ts';
import type { EventQueue } from './event-queue.ts';
import { Webhook, type WebhookOptions } from './webhook.ts';

export interface EndpointOptions extends WebhookOptions {
  readonly name: string;
  readonly filter: EventFilter;
  /** Events in one request at most. */
  readonly batch: number;
  /** Bytes on disk that may wait. */
  readonly queueSize: number;
  readonly backoff: Backoff;
}

/** Told of what becomes of events; telemetry implements it. */
export interface EndpointObserver {
  delivered(endpoint: string, count: number): void;
  /** A request failed; the events go out again after so many milliseconds. */
  failed(endpoint: string, reason: string, wait: number): void;
  /** It takes events again. */
  recovered(endpoint: string, failures: number): void;
  /** Events are lost: to a full queue, to a damaged file, to a disk that refused, or as the receiver refused them. */
  dropped(endpoint: string, count: number, reason: DropReason, detail?: unknown): void;
}

export type DropReason = 'full' | 'damaged' | 'disk' | 'refused';

/** How an endpoint stands. Times in milliseconds since the epoch. */
export interface EndpointStatus {
  readonly name: string;
  readonly url: string;
  readonly queued: number;
  readonly bytes: number;
  /** When the event at the front happened; undefined where nothing waits. */
  readonly oldest: number | undefined;
  readonly delivered: number;
  readonly dropped: number;
  /** Requests that failed since the last that did not. */
  readonly failures: number;
  readonly lastFailure: string | undefined;
  readonly lastDelivery: number | undefined;
}

/** Bytes of events in one request, unless one alone is larger. */
const largestBody = 256 * 1024;

/** One receiver, with its queue: events go out in order, one request at a time. */
export class Endpoint {
  readonly #queue: EventQueue;
  readonly #observer: EndpointObserver;
  #options: EndpointOptions;
  #webhook: Webhook;
  /** Resolved when there is something new. */
  #news = Promise.withResolvers<void>();
  /** Aborted when there is another way to deliver it. */
  #changed = new AbortController();
  #failures = 0;
  #delivered = 0;
  #dropped = 0;
  #oldest: number | undefined;
  #lastFailure: string | undefined;
  #lastDelivery: number | undefined;

  constructor(options: EndpointOptions, queue: EventQueue, observer: EndpointObserver) {
    this.#options = options;
    this.#webhook = new Webhook(options);
    this.#queue = queue;
    this.#observer = observer;
  }

  get name(): string {
    return this.#options.name;
  }

  wants(event: Pick<ContentEvent, 'action' | 'kind' | 'repository'>): boolean {
    return isWanted(this.#options.filter, event);
  }

  /** Follows other settings, at once. The queue stays. */
  configure(options: EndpointOptions): void {
    const replaced = this.#webhook;
    this.#options = options;
    this.#webhook = new Webhook(options);
    this.#queue.limit = options.queueSize;
    this.#changed.abort();
    this.#changed = new AbortController();
    // What is on its way may arrive.
    void replaced.close();
  }

  /** Queues lines that `eventLine` made. Where the disk refuses, they are lost: no request waits or fails for them. */
  async enqueue(lines: readonly string[], durable: boolean): Promise<void> {
    try {
      await this.#queue.append(lines, durable);
      this.#ring();
    } catch (error) {
      this.lost(lines.length, 'disk', error);
    }
  }

  /** Counts events that are lost. */
  lost(count: number, reason: DropReason, detail?: unknown): void {
    this.#dropped += count;
    this.#observer.dropped(this.name, count, reason, detail);
  }

  status(): EndpointStatus {
    const { name, url } = this.#options;
    const { length, bytes } = this.#queue;
    return {
      name,
      url,
      queued: length,
      bytes,
      oldest: length === 0 ? undefined : this.#oldest,
      delivered: this.#delivered,
      dropped: this.#dropped,
      failures: this.#failures,
      lastFailure: this.#lastFailure,
      lastDelivery: this.#lastDelivery,
    };
  }

  /** Delivers until the signal says stop; what is on its way then goes out again after the next start. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#ring(), { once: true });
    while (!signal.aborted) {
      const { promise: news } = this.#news;
      try {
        const batch = await this.#queue.read(this.#options.batch, largestBody);
        if (batch === undefined) {
          this.#oldest = undefined;
          await news;
          continue;
        }
        this.#oldest = timeOf(batch.lines[0]);
        await this.#deliver(batch.lines, signal);
        await this.#queue.advance(batch.end);
      } catch (error) {
        if (signal.aborted) return;
        await this.#pause(`its queue cannot be used: ${String(error)}`, 0, signal);
      }
    }
  }

  async close(): Promise<void> {
    await this.#webhook.close();
    await this.#queue.close();
  }

  /**
   * Tries until the receiver has taken, or refused, every line.
   * @throws the signal's reason
   */
  async #deliver(lines: readonly string[], signal: AbortSignal): Promise<void> {
    for (;;) {
      const delivery = await this.#webhook.post(lines, signal);
      if (delivery.kind === 'failed') {
        await this.#pause(delivery.reason, delivery.retryAfter, signal);
        continue;
      }
      if (delivery.kind === 'taken') {
        this.#delivered += lines.length;
        this.#lastDelivery = Date.now();
        this.#observer.delivered(this.name, lines.length);
      } else if (lines.length === 1) {
        this.lost(1, 'refused', delivery.reason);
      } else {
        // One of them is what it cannot take: only that one goes.
        for (const line of lines) await this.#deliver([line], signal);
      }
      if (this.#failures > 0) this.#observer.recovered(this.name, this.#failures);
      this.#failures = 0;
      return;
    }
  }

  /** Waits after a failure, until it may be tried again, or in another way. */
  async #pause(reason: string, retryAfter: number, signal: AbortSignal): Promise<void> {
    this.#failures += 1;
    this.#lastFailure = reason;
    const wait = retryWait(this.#options.backoff, this.#failures, Math.random(), retryAfter);
    this.#observer.failed(this.name, reason, wait);
    const over = AbortSignal.any([signal, this.#changed.signal]);
    await delay(wait, undefined, { signal: over, ref: false }).catch(() => undefined);
  }

  #ring(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** When an event happened, out of its line. */
function timeOf(line: string | undefined): number | undefined {
  const { timestamp } = JSON.parse(line ?? '{}') as { timestamp?: unknown };
  return typeof timestamp === 'string' ? Date.parse(timestamp) : undefined;
}
