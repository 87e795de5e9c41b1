import type { Address } from './failover.ts';
import type { UpstreamObserver } from './observer.ts';
import { noThrift, thriftOf, type Thrift, type ThriftPolicy } from './thrift.ts';

/** Milliseconds behind the end of what is known, so that it has passed when it is looked at. */
const margin = 5;

/**
 * Keeps an eye on the budgets of an upstream's credentials, and says how sparing to be. They are
 * those of the URL that is asked: the first that is up and does not limit all of them.
 */
export class Governor {
  readonly #upstream: string;
  readonly #policy: ThriftPolicy;
  readonly #observer: UpstreamObserver;
  readonly #addresses: () => readonly Address[];
  #thrift = noThrift;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    upstream: string,
    policy: ThriftPolicy,
    observer: UpstreamObserver,
    addresses: () => readonly Address[],
  ) {
    this.#upstream = upstream;
    this.#policy = policy;
    this.#observer = observer;
    this.#addresses = addresses;
  }

  /** Its `until` is in milliseconds since the epoch, as everywhere but among the breakers. */
  get thrift(): Thrift {
    return this.#thrift;
  }

  /** A budget or a breaker has changed, or a window has passed. */
  update(): void {
    const now = performance.now();
    const all = this.#addresses();
    const asked = all.find(({ health, accounts }) => !health.isOpen && !accounts.areAllLimited);
    const budgets = (asked ?? all[0])?.accounts.budgets() ?? [];
    const { stretch, until, remaining } = thriftOf(budgets, this.#policy, now);
    const wait = until - now;
    const before = this.#thrift.stretch;
    this.#thrift = stretch === 1 ? noThrift : { stretch, until: Date.now() + wait, remaining };
    clearTimeout(this.#timer);
    if (stretch !== 1) {
      this.#timer = setTimeout(() => this.update(), wait + margin);
      this.#timer.unref();
    }
    if (stretch === before) return;
    const seconds = stretch === 1 ? undefined : wait / 1000;
    this.#observer.thrift({ upstream: this.#upstream, stretch, seconds, remaining });
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
