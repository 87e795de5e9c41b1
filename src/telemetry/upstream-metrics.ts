import { Counter, Histogram, type Registry } from 'prom-client';
import { BoundedLabel } from './bounded-label.ts';

/** One request that was sent to a registry, its token server or its CDN. */
export interface UpstreamRequest {
  readonly upstream: string;
  /** Host and port. */
  readonly host: string;
  /** token, manifest, blob, tags, referrers, ping. */
  readonly kind: string;
  readonly status: number | 'timeout' | 'network';
  /** Until the headers of the answer were in, or the failure known. */
  readonly seconds: number;
}

/** CDNs answer under ever new names; the first so many of an upstream are told apart. */
const maxHosts = 50;

/** Counts what goes on between here and the upstreams. Their names come from the configuration. */
export class UpstreamMetrics {
  readonly #hosts = new BoundedLabel(maxHosts);
  readonly #requests: Counter<'upstream' | 'host' | 'kind' | 'status'>;
  readonly #durations: Histogram<'upstream' | 'kind'>;
  readonly #bytes: Counter<'upstream'>;
  readonly #bytesOf = new Map<string, Counter.Internal>();

  constructor(register: Registry) {
    const registers = [register];
    this.#requests = new Counter({
      name: 'baleen_upstream_requests_total',
      help: 'Requests sent upstream, by host, kind and status; each hop of a redirect counts',
      labelNames: ['upstream', 'host', 'kind', 'status'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'baleen_upstream_request_duration_seconds',
      help: 'From a request upstream to the headers of its answer, or to its failure',
      labelNames: ['upstream', 'kind'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    });
    this.#bytes = new Counter({
      name: 'baleen_upstream_bytes_total',
      help: 'Bytes of bodies received from upstreams',
      labelNames: ['upstream'],
      registers,
    });
  }

  request({ upstream, host, kind, status, seconds }: UpstreamRequest): void {
    const shown = typeof status === 'number' && (status < 100 || status > 599) ? 'other' : status;
    this.#requests.inc({ upstream, host: this.#hosts.of(host), kind, status: String(shown) });
    this.#durations.observe({ upstream, kind }, seconds);
  }

  /** Adds bytes received; called for every piece of a body. */
  received(upstream: string, bytes: number): void {
    let counter = this.#bytesOf.get(upstream);
    if (counter === undefined) {
      counter = this.#bytes.labels({ upstream });
      this.#bytesOf.set(upstream, counter);
    }
    counter.inc(bytes);
  }
}
