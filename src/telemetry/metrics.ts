import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { BoundedLabel } from './bounded-label.ts';
import { HostedMetrics } from './hosted-metrics.ts';
import { NotificationMetrics } from './notification-metrics.ts';
import { LoginMetrics } from './login-metrics.ts';
import { RequestMetrics, type AnsweredRequest } from './request-metrics.ts';
import { HostedGcMetrics } from './hosted-gc-metrics.ts';
import { RepairMetrics } from './repair-metrics.ts';
import { ImportMetrics } from './import-metrics.ts';
import { ScheduleMetrics } from './schedule-metrics.ts';
import { ServiceMetrics } from './service-metrics.ts';
import { StoreMetrics } from './store-metrics.ts';
import type { UpstreamStatus } from '../upstream/upstream-status.ts';
import { registerUpstreamGauges } from './upstream-gauges.ts';
import { UpstreamMetrics, type UpstreamRequest } from './upstream-metrics.ts';
import { WarmMetrics } from './warm-metrics.ts';

/** Everything that is measured; one method for each thing that happens. */
export class Metrics {
  /** What happens to the service as a whole. */
  readonly service: ServiceMetrics;
  /** Of images that are imported. */
  readonly imports: ImportMetrics;
  /** What is verified, and found wrong. */
  readonly repair: RepairMetrics;
  /** What is removed of what was pushed. */
  readonly hostedGc: HostedGcMetrics;
  /** What the store does on its own, and how the disk is. */
  readonly store: StoreMetrics;
  /** What is pushed. */
  readonly hosted: HostedMetrics;
  /** What becomes of events. */
  readonly notifications: NotificationMetrics;
  /** What is fetched ahead of need. */
  readonly warm: WarmMetrics;
  /** What is warmed by the clock. */
  readonly schedules: ScheduleMetrics;
  readonly #register = new Registry();
  readonly #requests: RequestMetrics;
  readonly #upstream: UpstreamMetrics;
  readonly #downloads: Counter<'upstream' | 'result'>;
  readonly #catalogErrors: Counter<'operation'>;
  readonly #catalogUp: Gauge;
  readonly #errors: Counter<'code'>;
  readonly #refusals: Counter<'code' | 'action'>;
  readonly #operations = new BoundedLabel(50);
  readonly #results = new BoundedLabel(50);
  readonly #codes = new BoundedLabel(100);

  /** @param version shown as `baleen_build_info` */
  constructor(version: string) {
    const registers = [this.#register];
    collectDefaultMetrics({ register: this.#register });
    this.service = new ServiceMetrics(this.#register);
    this.imports = new ImportMetrics(this.#register);
    this.repair = new RepairMetrics(this.#register);
    this.hostedGc = new HostedGcMetrics(this.#register);
    this.store = new StoreMetrics(this.#register);
    this.hosted = new HostedMetrics(this.#register);
    this.notifications = new NotificationMetrics(this.#register);
    this.warm = new WarmMetrics(this.#register);
    this.schedules = new ScheduleMetrics(this.#register);
    this.#requests = new RequestMetrics(this.#register);
    this.#upstream = new UpstreamMetrics(this.#register);
    this.#downloads = new Counter({
      name: 'baleen_downloads_total',
      help: 'Downloads of blobs from upstreams that have ended, by result',
      labelNames: ['upstream', 'result'],
      registers,
    });
    this.#catalogErrors = new Counter({
      name: 'baleen_catalog_errors_total',
      help: 'Failures of the catalog that no client has noticed, by operation',
      labelNames: ['operation'],
      registers,
    });
    this.#catalogUp = new Gauge({
      name: 'baleen_catalog_up',
      help: 'Whether the shared cache (Redis) is in use: 1, or 0 while it is out of reach; 1 where there is none',
      registers,
    });
    this.#catalogUp.set(1);
    this.#errors = new Counter({
      name: 'baleen_errors_total',
      help: 'Requests answered with an error, by its code',
      labelNames: ['code'],
      registers,
    });
    this.#refusals = new Counter({
      name: 'baleen_access_refusals_total',
      help: 'Requests refused for want of a login or a permission, by code (UNAUTHORIZED, DENIED) and by what they wanted; the first request of a client without a token is one of them',
      labelNames: ['code', 'action'],
      registers,
    });
    new Gauge({
      name: 'baleen_build_info',
      help: 'Always 1; the labels tell what is running',
      labelNames: ['version', 'node'],
      registers,
    }).set({ version, node: process.versions.node }, 1);
  }

  /** All metrics in Prometheus' text format. */
  render(): Promise<string> {
    return this.#register.metrics();
  }

  /** The Content-Type of {@link render}. */
  get contentType(): string {
    return this.#register.contentType;
  }

  requestAnswered(request: AnsweredRequest): void {
    this.#requests.count(request);
  }

  /** A request was answered with an error of this code. */
  errorAnswered(code: string): void {
    this.#errors.inc({ code: this.#codes.of(code) });
  }

  /** @param action what the request wanted of a repository, where it was about one */
  accessRefused(code: 'UNAUTHORIZED' | 'DENIED', action = 'none'): void {
    this.#refusals.inc({ code, action });
  }

  upstreamRequest(request: UpstreamRequest): void {
    this.#upstream.request(request);
  }

  /** Bytes of a body came from an upstream. */
  upstreamReceived(upstream: string, bytes: number): void {
    this.#upstream.received(upstream, bytes);
  }

  /** @param result `done`, or the code of the error that ended it */
  downloadEnded(upstream: string, result: string): void {
    this.#downloads.inc({ upstream, result: this.#results.of(result) });
  }

  catalogFailed(operation: string): void {
    this.#catalogErrors.inc({ operation: this.#operations.of(operation) });
  }

  /** The shared cache came into use, or fell out of it. */
  catalogUp(isUp: boolean): void {
    this.#catalogUp.set(isUp ? 1 : 0);
  }

  /** Where to ask how the upstreams stand, whenever metrics are collected. */
  observeUpstreams(read: () => readonly UpstreamStatus[]): void {
    registerUpstreamGauges(this.#register, read);
  }

  /** Where to ask for the downloads in flight and their readers, whenever metrics are collected. */
  observeDownloads(read: () => { readonly inFlight: number; readonly readers: number }): void {
    this.#gauge(
      'baleen_downloads_in_flight',
      'Downloads from upstreams now running',
      () => read().inFlight,
    );
    this.#gauge(
      'baleen_download_readers',
      'Clients now following a running download',
      () => read().readers,
    );
  }

  /** Where to ask how many images were asked for that are not here, whenever metrics are collected. */
  observeMissing(read: () => number): void {
    this.#gauge(
      'baleen_missing_images',
      'Images that were asked for and are not here, their upstream being offline by the configuration',
      read,
    );
  }

  /**
   * Counts logins from now on, where there are accounts.
   * @param waiting asked for the passwords that wait to be checked
   */
  createLoginMetrics(waiting: () => number): LoginMetrics {
    return new LoginMetrics(this.#register, waiting);
  }

  /** Where to ask how many log lines were dropped since the start. */
  observeDroppedLogLines(read: () => number): void {
    this.#register.registerMetric(
      new Counter({
        name: 'baleen_log_lines_dropped_total',
        help: 'Log lines dropped because standard output was not read fast enough',
        registers: [],
        collect() {
          this.reset();
          this.inc(read());
        },
      }),
    );
  }

  #gauge(name: string, help: string, read: () => number): void {
    this.#register.registerMetric(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(read());
        },
      }),
    );
  }
}
