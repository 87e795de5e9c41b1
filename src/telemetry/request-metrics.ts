import { Counter, Histogram, type Registry } from 'prom-client';
import { BoundedLabel } from './bounded-label.ts';

/** An answered request, as it is counted. */
export interface AnsweredRequest {
  /** ns, prefix, host, default, hosted; undefined for what belongs to no repository. */
  readonly route: string | undefined;
  readonly upstream: string | undefined;
  /** hit, miss, collapsed, stale, revalidated; undefined where the answer is none of these. */
  readonly outcome: string | undefined;
  readonly method: string;
  readonly status: number;
  /** Of the body, as far as it was sent. */
  readonly bytes: number;
  readonly seconds: number;
}

/** From a manifest out of memory to a layer over a slow line, in seconds. */
const buckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

const methods: ReadonlySet<string> = new Set('GET HEAD POST PUT PATCH DELETE OPTIONS'.split(' '));

/** Everything counted for one set of labels. */
interface Series {
  readonly labels: Readonly<Record<'route' | 'upstream' | 'outcome' | 'status' | 'method', string>>;
  readonly durations: Histogram.Internal<'route' | 'outcome'>;
  count: number;
  bytes: number;
}

/**
 * Counts answered requests. prom-client takes 0.4 µs a call to find the series of its labels; with
 * tens of thousands of requests a second that is looked up once here, and the counters are filled
 * in when they are collected.
 */
export class RequestMetrics {
  readonly #series = new Map<string, Series>();
  readonly #routes = new BoundedLabel(20);
  readonly #upstreams = new BoundedLabel(200);
  readonly #outcomes = new BoundedLabel(20);
  readonly #durations: Histogram<'route' | 'outcome'>;

  constructor(register: Registry) {
    const all = (): Iterable<Series> => this.#series.values();
    register.registerMetric(
      new Counter({
        name: 'baleen_http_requests_total',
        help: 'Requests answered, by what told the upstream, by upstream, outcome, class of status and method',
        labelNames: ['route', 'upstream', 'outcome', 'status', 'method'],
        registers: [],
        collect() {
          this.reset();
          for (const { labels, count } of all()) this.inc({ ...labels }, count);
        },
      }),
    );
    register.registerMetric(
      new Counter({
        name: 'baleen_http_response_bytes_total',
        help: 'Bytes of bodies sent to clients, by what told the upstream, by upstream and outcome',
        labelNames: ['route', 'upstream', 'outcome'],
        registers: [],
        collect() {
          this.reset();
          for (const { labels, bytes } of all()) {
            const { route, upstream, outcome } = labels;
            this.inc({ route, upstream, outcome }, bytes);
          }
        },
      }),
    );
    this.#durations = new Histogram({
      name: 'baleen_http_request_duration_seconds',
      help: 'From the head of a request to the end of its answer, by route and outcome',
      labelNames: ['route', 'outcome'],
      buckets,
      registers: [register],
    });
  }

  count({ route, upstream, outcome, method, status, bytes, seconds }: AnsweredRequest): void {
    const series = this.#find(
      this.#routes.of(route),
      this.#upstreams.of(upstream),
      this.#outcomes.of(outcome),
      statusClass(status),
      methods.has(method) ? method : 'other',
    );
    series.count += 1;
    series.bytes += bytes;
    series.durations.observe(seconds);
  }

  #find(route: string, upstream: string, outcome: string, status: string, method: string): Series {
    const key = `${route} ${upstream} ${outcome} ${status} ${method}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const durations = this.#durations.labels({ route, outcome });
      series = {
        labels: { route, upstream, outcome, status, method },
        durations,
        count: 0,
        bytes: 0,
      };
      this.#series.set(key, series);
    }
    return series;
  }
}

function statusClass(status: number): string {
  return status >= 100 && status < 600 ? `${Math.floor(status / 100)}xx` : 'other';
}
