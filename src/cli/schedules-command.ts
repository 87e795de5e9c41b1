import type { Command } from 'commander';
import type { Config } from '../config/config.ts';
import { describeByteSize } from '../lib/byte-size.ts';
import { formatDuration } from '../lib/duration.ts';
import { readScheduleReport, type ScheduleReport } from '../service/schedule-report.ts';
import { Layout } from '../store/layout.ts';
import type { RunReport } from '../warm/run-report.ts';
import type { ScheduleStatus } from '../warm/schedule.ts';
import type { CommandContext } from './context.ts';
import { OperationsClient } from './operations-client.ts';
import { configFor } from './options.ts';
import { printable } from './printable.ts';

/** `baleen schedules` */
export function addSchedulesCommand(program: Command, context: CommandContext): void {
  program
    .command('schedules')
    .description('say what was warmed by the clock (warm in the configuration), and what is due')
    .option('--json', 'print one JSON document')
    .action(async (options: { json?: true }, command: Command) => {
      const report = await gather(configFor(command, context), context);
      context.stdout(options.json === true ? `${JSON.stringify(report)}\n` : describe(report));
    });
}

/** From the Baleen that runs, else out of its files. */
async function gather(config: Config, context: CommandContext): Promise<ScheduleReport> {
  await using client = await OperationsClient.find(config);
  if (client !== undefined) return (await client.get('warm')) as ScheduleReport;
  context.stderr('No Baleen answers here: nothing is done before one runs.\n');
  return readScheduleReport(config, new Layout(config.storage.directory));
}

function describe({ schedules, observed }: ScheduleReport): string {
  if (schedules.length === 0) {
    return 'Nothing is warmed by the clock: there are no warm.schedules, and no warm.observed.\n';
  }
  const parts = [
    table([
      ['schedule', 'last run', 'result', 'images', 'fetched', 'took', 'next due', 'times'],
      ...schedules.map(rowOf),
    ]),
    ...schedules.map(describeRunning),
    ...schedules.map(describeFailures),
  ];
  if (observed !== null) {
    const { days, keep, images } = observed;
    const rows = images.map(({ image, pulls, platforms }) => [
      `  ${pulls}`,
      image,
      platforms.join(', '),
    ]);
    const heading = `pulled most in ${days} days, at most ${keep} of them:\n`;
    parts.push(`\n${heading}${rows.length === 0 ? '  nothing yet\n' : table(rows)}`);
  }
  return parts.join('');
}

function rowOf({ name, cron, time_zone, state, last, next_due }: ScheduleStatus): string[] {
  const times = `${cron} ${time_zone}`;
  const due = state === 'idle' ? time(next_due) : state;
  if (last === null) return [name, '-', '-', '-', '-', '-', due, times];
  const { started_at, result, images, failed, fetched_bytes, seconds } = last;
  const done = failed === 0 ? String(images) : `${images}, ${failed} failed`;
  const took = formatDuration(Math.max(1, Math.round(seconds)) * 1000);
  return [name, time(started_at), result, done, describeByteSize(fetched_bytes), took, due, times];
}

function describeRunning({ name, running }: ScheduleStatus): string {
  if (running === null) return '';
  const { images_done, images, bytes, total, started_at } = running;
  const came = `${describeByteSize(bytes)} of ${describeByteSize(total)}`;
  return `\n${name} is running since ${time(started_at)}: ${images_done} of ${images} images, ${came}\n`;
}

function describeFailures({ name, last }: ScheduleStatus): string {
  if (last === null || last.result === 'completed') return '';
  const rows = last.failures.map(({ image, code, message }) => [
    `  ${image}`,
    code,
    printable(message),
  ]);
  const more = last.failed - rows.length;
  const rest = more > 0 ? `  and ${more} more\n` : '';
  return `\n${headOf(name, last)}\n${table(rows)}${rest}`;
}

function headOf(name: string, { result, failed, code, message }: RunReport): string {
  return result === 'failed'
    ? `${name} failed: ${code} ${printable(message ?? '')}`
    : `${name}: ${failed} failed`;
}

/** To the second, in UTC. */
function time(at: string | null): string {
  return at === null ? '-' : `${at.slice(0, 19).replace('T', ' ')}Z`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, text] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, text.length);
    }
  }
  const line = (row: readonly string[]): string =>
    row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
