import { Cron } from 'croner';

/**
 * The times of a cron expression in a time zone.
 *
 * Where clocks are put forward, a fixed time that does not exist (`30 2 * * *`) comes when the gap is
 * over, and times in steps (every 15 minutes) are left out. Where they are put back, a fixed time comes
 * once, and times in steps come in both hours. That is what cron daemons do.
 */
export class CronTimes {
  readonly #cron: Cron;

  /**
   * @param expression minute, hour, day, month, weekday; of six fields, the first is the second; or
   *   a nickname such as `@daily`
   * @param timeZone such as `Europe/Berlin`
   * @throws TypeError or RangeError where either is none
   */
  constructor(expression: string, timeZone: string) {
    // Without a function it sets no timer.
    this.#cron = new Cron(expression, {
      timezone: timeZone,
      mode: '5-or-6-parts',
      fixedTimeRule: 'no-wildcard',
      paused: true,
    });
  }

  /** The first time after another, in milliseconds since the epoch; undefined where there is none. */
  next(after: number): number | undefined {
    return this.#cron.nextRun(new Date(after))?.getTime();
  }
}

/** The parser would take a single date as well. */
const shape = /^(@[a-z]+|\S+(\s+\S+){4,5})$/i;

/** What is wrong with a cron expression, without quoting it; undefined where it is right. */
export function cronFault(expression: string): string | undefined {
  const text = expression.trim();
  const wrong =
    'expected a cron expression such as "0 3 * * *": minute, hour, day, month and weekday';
  if (!shape.test(text)) return wrong;
  try {
    const isEver = new CronTimes(text, 'UTC').next(Date.now()) !== undefined;
    return isEver ? undefined : 'this time never comes';
  } catch {
    return wrong;
  }
}

/** Whether times can be told in a zone of this name. */
export function isTimeZone(name: string): boolean {
  try {
    return name !== '' && new Intl.DateTimeFormat('en', { timeZone: name }).format() !== '';
  } catch {
    return false;
  }
}
