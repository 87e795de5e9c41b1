import { isRegistryError, type RegistryError } from '../oci/errors.ts';
import type { Accounts, Lease } from './accounts.ts';
import type { Admission, Breaker, Refusal } from './breaker.ts';
import type { Endpoint } from './endpoint.ts';
import { faultOf, type Fault } from './fault.ts';
import type { UpstreamObserver } from './observer.ts';
import { refused } from './refused.ts';

/** One URL of an upstream. */
export interface Address {
  /** As configured. */
  readonly url: string;
  /** Host and port. */
  readonly host: string;
  /** Whether it is up. */
  readonly health: Breaker;
  /** What each credential may ask for. */
  readonly accounts: Accounts;
  /** By the credentials' places. */
  readonly endpoints: readonly Endpoint[];
}

/** Leave of an address and of one credential there. */
interface Leave {
  readonly address: Address;
  readonly endpoint: Endpoint;
  readonly admission: Admission;
  readonly lease: Lease;
}

/**
 * Takes a request to where it may be answered: one URL after the other while the failure may be that
 * URL's alone, and at each one credential after the other while that is what is refused. A request
 * needs leave of both, the URL's health and the credential's quota.
 */
export class Failover {
  readonly #upstream: string;
  readonly #addresses: readonly Address[];
  readonly #observer: UpstreamObserver;

  constructor(upstream: string, addresses: readonly Address[], observer: UpstreamObserver) {
    this.#upstream = upstream;
    this.#addresses = addresses;
    this.#observer = observer;
  }

  /** @throws RegistryError what the last attempt failed with, or why there was none; or the signal's reason */
  async run<T>(signal: AbortSignal, attempt: (at: Endpoint) => Promise<T>): Promise<T> {
    let failure: RegistryError | undefined;
    let refusal: Refusal | undefined;
    for (const address of this.#addresses) {
      const outcome = await this.#at(address, failure, signal, attempt);
      if ('result' in outcome) return outcome.result;
      failure = outcome.failure ?? failure;
      if (outcome.refusal !== undefined && outcome.refusal.wait < (refusal?.wait ?? Infinity)) {
        ({ refusal } = outcome);
      }
    }
    throw failure ?? (refusal && refused(this.#upstream, undefined, refusal));
  }

  /** @param before what failed at the URL before, for the log */
  async #at<T>(
    address: Address,
    before: RegistryError | undefined,
    signal: AbortSignal,
    attempt: (at: Endpoint) => Promise<T>,
  ): Promise<Outcome<T>> {
    const tried = new Set<number>();
    let failure: RegistryError | undefined;
    let denial: RegistryError | undefined;
    for (let leave = ask(address, tried); leave !== undefined; leave = ask(address, tried)) {
      if ('wait' in leave) return { failure, refusal: leave };
      const { endpoint, lease } = leave;
      tried.add(lease.index);
      try {
        signal.throwIfAborted();
        this.#tellDetour(endpoint, failure ?? denial ?? before);
        const result = await attempt(endpoint);
        this.#ended(leave, 'none');
        return { result };
      } catch (error) {
        const fault = signal.aborted ? 'local' : faultOf(error, (host) => endpoint.owns(host));
        this.#ended(leave, fault, error as RegistryError);
        if (signal.aborted) throw error;
        if (isRegistryError(error, 'UPSTREAM_DENIED')) {
          // Another credential may see more, or may still be valid.
          denial ??= error;
        } else if (fault === 'none' || fault === 'local') {
          throw error;
        } else {
          failure = error as RegistryError;
          if (fault !== 'limited') return { failure };
        }
      }
    }
    // Where one credential could not be asked with, nobody knows whether the answer is no.
    if (denial !== undefined && failure === undefined) throw denial;
    return { failure };
  }

  #tellDetour(endpoint: Endpoint, failure: RegistryError | undefined): void {
    if (failure !== undefined) endpoint.warn(`${failure.message}; trying ${endpoint.title}`);
  }

  /** Lets both breakers know how it went. */
  #ended(
    { address, endpoint, admission, lease }: Leave,
    fault: Fault,
    error?: RegistryError,
  ): void {
    const { health, accounts } = address;
    const now = performance.now();
    if (fault === 'local' || fault === 'crowded') {
      health.abandoned(admission);
      accounts.abandoned(lease);
    } else if (fault === 'registry' && error !== undefined) {
      accounts.abandoned(lease);
      this.#tellWait(address, undefined, health.failed(admission, error, now), error);
    } else {
      if (health.succeeded(admission)) this.#tell(address, undefined, undefined, undefined);
      if (fault === 'limited' && error !== undefined) {
        this.#tellWait(address, endpoint, accounts.limited(lease, error, now), error);
      } else if (accounts.succeeded(lease)) this.#tell(address, endpoint, undefined, undefined);
    }
  }

  #tellWait(
    address: Address,
    endpoint: Endpoint | undefined,
    wait: number | undefined,
    failure: RegistryError,
  ): void {
    if (wait !== undefined) this.#tell(address, endpoint, wait / 1000, failure);
  }

  /** @param endpoint where it is about a credential; else it is about the URL */
  #tell(
    { host }: Address,
    endpoint: Endpoint | undefined,
    wait: number | undefined,
    failure: RegistryError | undefined,
  ): void {
    const credential = endpoint?.credential;
    this.#observer.breaker({ upstream: this.#upstream, host, credential, wait, failure });
  }
}

/** What came of one URL: the last failure there, and why no more was asked. */
type Outcome<T> =
  | { readonly result: T }
  | { readonly failure?: RegistryError | undefined; readonly refusal?: Refusal };

/** Asks for leave of a URL and of a credential that was not tried yet; undefined where all were. */
function ask(address: Address, tried: ReadonlySet<number>): Leave | Refusal | undefined {
  const now = performance.now();
  const admission = address.health.admit(now);
  if ('wait' in admission) return admission;
  const lease = address.accounts.admit(now, tried);
  const endpoint = lease && 'index' in lease ? address.endpoints[lease.index] : undefined;
  if (lease !== undefined && !('wait' in lease) && endpoint !== undefined) {
    return { address, endpoint, admission, lease };
  }
  address.health.abandoned(admission);
  return lease !== undefined && 'wait' in lease ? lease : undefined;
}
