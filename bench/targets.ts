import type { Figures } from './figures.ts';
import { blobCpuMetric, blobRateMetric } from './measure-blobs.ts';
import { coldMetrics } from './measure-cold.ts';
import { manifestMetric } from './measure-manifests.ts';
import { pushMetrics } from './measure-push.ts';
import { memoryMetric } from './measure-memory.ts';
import type { Options } from './options.ts';
import { highest, pairwise, present, spread, type Series, type Spread } from './statistics.ts';

/** One thing that Baleen has to reach, and what was measured. */
export interface Target {
  readonly claim: string;
  /** Undefined where the run did not measure it. */
  readonly measured: Spread | undefined;
  /** Judged by the median; undefined where it was not measured. */
  readonly holds: boolean | undefined;
  readonly unit: string;
}

const WARM_RATIO = 1;
const CPU_RATIO = 1;
const MANIFEST_RATIO = 50;
const MANIFEST_RATE = 20_000;
const COLD_RATIO = 1.15;
const FIRST_BYTE_LAG = 100;
const PUSH_RATIO = 0.8;
const MEMORY = 200;

/** What is asked of Baleen, judged on a run's figures. */
export function judge(figures: Figures, options: Options): readonly Target[] {
  const ours = (metric: string): Series => figures.series(metric, 'baleen');
  const targets: Target[] = [];
  const atLeast = (claim: string, series: Series, limit: number, unit: string): void => {
    targets.push(target(claim, series, unit, (median) => median >= limit));
  };
  const atMost = (claim: string, series: Series, limit: number, unit: string): void => {
    targets.push(target(claim, series, unit, (median) => median <= limit));
  };

  for (const connections of options.blobConnections) {
    const metric = blobRateMetric(connections);
    const peers = highest([
      figures.series(metric, 'nginx'),
      figures.series(metric, 'docker-registry'),
    ]);
    atLeast(
      `warm blob, ${connections} connections: ≥ ${WARM_RATIO.toFixed(1)} × the better peer`,
      pairwise(ours(metric), peers),
      WARM_RATIO,
      '×',
    );
  }
  for (const connections of options.blobConnections) {
    const metric = blobCpuMetric(connections);
    atMost(
      `warm blob, ${connections} connections: CPU-s/GB ≤ docker-registry's`,
      pairwise(ours(metric), figures.series(metric, 'docker-registry')),
      CPU_RATIO,
      '×',
    );
  }
  const byTag = manifestMetric('tag', 32);
  atLeast(
    `warm manifests by tag: ≥ ${MANIFEST_RATIO} × docker-registry's`,
    pairwise(ours(byTag), figures.series(byTag, 'docker-registry')),
    MANIFEST_RATIO,
    '×',
  );
  atLeast(
    `warm manifests by tag: ≥ ${MANIFEST_RATE.toLocaleString('en')}/s`,
    ours(byTag),
    MANIFEST_RATE,
    '/s',
  );
  for (const clients of options.coldClients) {
    const metrics = coldMetrics(clients);
    atMost(`${clients} clients, one cold blob: 1 upstream GET`, ours(metrics.gets), 1, '');
    atMost(
      `${clients} clients, one cold blob: last client ≤ ${COLD_RATIO} × a direct transfer`,
      pairwise(ours(metrics.last), figures.series(metrics.last, 'direct')),
      COLD_RATIO,
      '×',
    );
    const lag = ours(metrics.firstLate).map((late, round) => {
      const direct = figures.series(metrics.firstMedian, 'direct')[round];
      return late === undefined || direct === undefined ? undefined : late - direct;
    });
    atMost(
      `${clients} clients, one cold blob: p99 first byte within ${FIRST_BYTE_LAG} ms of the upstream's own`,
      lag,
      FIRST_BYTE_LAG,
      'ms',
    );
  }
  atLeast(
    `pushing a blob: ≥ ${PUSH_RATIO} × docker-registry's rate`,
    pairwise(ours(pushMetrics.rate), figures.series(pushMetrics.rate, 'docker-registry')),
    PUSH_RATIO,
    '×',
  );
  atMost(`resident memory, pushing a blob: < ${MEMORY} MB`, ours(pushMetrics.memory), MEMORY, 'MB');
  for (const memoryCase of ['slow readers, warm', 'slow readers, cold', 'big blob'] as const) {
    atMost(
      `resident memory, ${memoryCase}: < ${MEMORY} MB`,
      ours(memoryMetric(memoryCase)),
      MEMORY,
      'MB',
    );
  }
  return targets;
}

function target(
  claim: string,
  series: Series,
  unit: string,
  isReached: (median: number) => boolean,
): Target {
  const measured = spread(present(series));
  return {
    claim,
    measured,
    unit,
    holds: measured === undefined ? undefined : isReached(measured.median),
  };
}
