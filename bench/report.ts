import type { Figures, Subject } from './figures.ts';
import { blobCpuMetric, blobRateMetric } from './measure-blobs.ts';
import { coldMetrics } from './measure-cold.ts';
import { manifestMetric, MANIFEST_CONNECTIONS, REFERENCES } from './measure-manifests.ts';
import { pushMetrics } from './measure-push.ts';
import { MEMORY_CASES, memoryMetric } from './measure-memory.ts';
import type { Options, Section } from './options.ts';
import { pairwise, present, spread, type Series, type Spread } from './statistics.ts';
import { judge } from './targets.ts';

/** What the report says of a run besides its figures. */
export interface RunFacts {
  readonly date: string;
  readonly machine: string;
  /** A line for each program that took part. */
  readonly programs: readonly string[];
  /** What was not measured, and why. */
  readonly missing: readonly string[];
  readonly measurements: number;
  /** Measurements that began while other processes kept the CPUs busy. */
  readonly disturbed: number;
}

/** The report, in Markdown. */
export function report(figures: Figures, options: Options, facts: RunFacts): string {
  return [
    '# Baleen beside its peers',
    `One run of \`npm run bench\` on ${facts.date}, on ${facts.machine}; servers, upstream and clients share the machine and talk over loopback. ` +
      `Figures are medians of ${options.rounds} interleaved round${options.rounds === 1 ? '' : 's'}, with the lowest and the highest; ratios are Baleen ÷ peer, taken round by round. ` +
      `${facts.disturbed} of ${facts.measurements} measurements began while other processes kept the CPUs busy.`,
    facts.programs.map((line) => `- ${line}`).join('\n'),
    ...(facts.missing.length === 0
      ? []
      : [`**Not measured:** ${facts.missing.map((line) => `\n- ${line}`).join('')}`]),
    '## Targets',
    targetTable(figures, options),
    ...options.only.flatMap((section) => SECTION_TEXTS[section](figures, options)),
    ...(figures.failures.length === 0
      ? []
      : ['## Failures', figures.failures.map((line) => `- ${line}`).join('\n')]),
  ].join('\n\n');
}

/** A heading, what was measured, and the table. */
const SECTION_TEXTS: Record<Section, (figures: Figures, options: Options) => string[]> = {
  manifests: (figures, { servers }) => [
    '## Warm manifests',
    'Requests a second over keep-alive connections, one request at a time on each; every server has run warm before. docker-registry asks the upstream on every pull by tag.',
    table(
      figures,
      servers,
      REFERENCES.flatMap((reference) =>
        MANIFEST_CONNECTIONS.map((connections) => manifestMetric(reference, connections)),
      ),
    ),
  ],
  blobs: (figures, { servers, blobSize, blobConnections }) => [
    '## Warm blobs',
    `A blob of ${blobSize / 1e6} MB from the page cache. CPU-seconds are user and system time of the server's whole process group.`,
    table(
      figures,
      servers,
      blobConnections.flatMap((connections) => [
        blobRateMetric(connections),
        blobCpuMetric(connections),
      ]),
    ),
  ],
  cold: (figures, { servers, blobSize, upstreamRate, coldClients }) => [
    '## Many clients on one cold blob',
    `A blob of ${blobSize / 1e6} MB from an upstream that sends ${upstreamRate / 1e6} MB/s over each connection. "direct" is one client at the upstream itself, in the same round. First bytes are of the body, from the moment all clients start to connect. The rate is one at which ${Math.max(...coldClients)} clients together (${(Math.max(...coldClients) * upstreamRate) / 1e9} GB/s) ask no more of this machine than it can carry: what it sends from memory stands above.`,
    table(
      figures,
      ['direct', ...servers],
      coldClients.flatMap((clients) => Object.values(coldMetrics(clients))),
    ),
  ],
  push: (figures, { servers, pushSize }) => [
    '## Pushing a blob',
    `A blob of ${pushSize / 1e6} MB, pushed by one client as docker does: a session, one stream, and the digest at the end; verified, and synced to the disk before the answer. Another blob each round.`,
    table(
      figures,
      servers.filter((name) => name !== 'nginx'),
      Object.values(pushMetrics),
    ),
  ],
  memory: (figures, { servers, slowReaders, slowRate, blobSize, bigBlobSize }) => [
    '## Resident memory',
    `Highest resident memory of a freshly started server: after its start; with ${slowReaders} readers at ${slowRate / 1024} KiB/s on a warm and on a cold blob of ${blobSize / 1e6} MB; while a blob of ${bigBlobSize / 1e9} GB passes through cold, its upstream unthrottled. The memory of several processes is added up, pages that they share counted for each.`,
    table(figures, servers, MEMORY_CASES.map(memoryMetric)),
  ],
};

function targetTable(figures: Figures, options: Options): string {
  const rows = judge(figures, options).map(({ claim, measured, unit, holds }) => {
    const verdict = holds === undefined ? 'not measured' : holds ? 'yes' : '**no**';
    return [claim, cell(measured, unit), verdict];
  });
  return markdown(['target', 'measured', 'holds'], rows);
}

function table(figures: Figures, subjects: readonly Subject[], metrics: readonly string[]): string {
  const peers = subjects.filter((subject) => subject !== 'baleen');
  const withRatio = subjects.includes('baleen') ? peers : [];
  const rows = metrics.map((metric) => {
    const series = (subject: Subject): Series => figures.series(metric, subject);
    return [
      metric,
      ...subjects.map((subject) => cell(spread(present(series(subject))))),
      ...withRatio.map((peer) =>
        cell(spread(present(pairwise(series('baleen'), series(peer)))), '×'),
      ),
    ];
  });
  return markdown(['', ...subjects, ...withRatio.map((peer) => `÷ ${peer}`)], rows);
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, index) => (index === 0 ? '---' : '--:'));
  return [line(head), line(rule), ...rows.map((row) => line(row))].join('\n');
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function cell(value: Spread | undefined, unit = ''): string {
  if (value === undefined) return '–';
  const suffix = unit === '' ? '' : ` ${unit}`;
  const { median, min, max } = value;
  if (min === max) return `${figure(median)}${suffix}`;
  return `${figure(median)}${suffix} (${figure(min)}–${figure(max)})`;
}

/** Three significant digits, and whole numbers above that. */
function figure(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) {
    return Math.round(value).toLocaleString('en');
  }
  return value.toPrecision(3);
}
