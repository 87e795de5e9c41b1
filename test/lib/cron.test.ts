import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cronFault, CronTimes, isTimeZone } from '../../src/lib/cron.ts';

/** The next times after one, in UTC. */
function times(expression: string, zone: string, after: string, count: number): string[] {
  const cron = new CronTimes(expression, zone);
  let at: number | undefined = Date.parse(after);
  const found: string[] = [];
  while (found.length < count) {
    at = cron.next(at);
    if (at === undefined) break;
    found.push(new Date(at).toISOString().replace(':00.000Z', ''));
  }
  return found;
}

describe('the times of a cron expression', () => {
  it('come after a time, never at it', () => {
    const cron = new CronTimes('0 3 * * *', 'UTC');
    const due = Date.UTC(2026, 10, 21, 3);
    const day = 86_400_000;
    expect(cron.next(due - 1)).toBe(due);
    expect(cron.next(due)).toBe(due + day);
    expect(cron.next(due + 10)).toBe(due + day);
  });

  it('are those of the time zone', () => {
    expect(times('0 3 * * *', 'Europe/Berlin', '2026-01-10T12:00Z', 1)).toEqual([
      '2026-01-11T02:00',
    ]);
    expect(times('0 3 * * *', 'Asia/Kolkata', '2026-01-10T12:00Z', 1)).toEqual([
      '2026-01-10T21:30',
    ]);
  });

  it('come once, after the gap, where clocks are put forward', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', 2)).toEqual([
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
    expect(times('0 2,14 * * *', 'America/New_York', '2026-03-08T00:00-05:00', 2)).toEqual([
      '2026-03-08T07:00',
      '2026-03-08T18:00',
    ]);
  });

  it('come once where clocks are put back', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  it('go on in steps wherever clocks are put', () => {
    expect(times('*/30 * * * *', 'Europe/Berlin', '2026-03-29T00:15Z', 3)).toEqual([
      '2026-03-29T00:30',
      '2026-03-29T01:00',
      '2026-03-29T01:30',
    ]);
    expect(times('*/30 * * * *', 'Europe/Berlin', '2026-10-25T00:15Z', 4)).toEqual([
      '2026-10-25T00:30',
      '2026-10-25T01:00',
      '2026-10-25T01:30',
      '2026-10-25T02:00',
    ]);
  });

  it('go only forward, in whole seconds, in every time zone', () => {
    const fields = ['*/7 1-3 * * *', '30 2 * * *', '0 0 1 * 0', '5,50 */5 * 3,10,11 *'];
    const from = Date.UTC(2025, 0, 1);
    fc.assert(
      fc.property(
        fc.constantFrom(...fields),
        fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
        fc.integer({ min: from, max: from + 3 * 365 * 86_400_000 }),
        (expression, zone, start) => {
          const cron = new CronTimes(expression, zone);
          let at = start;
          for (let nth = 0; nth < 5; nth++) {
            const next = cron.next(at);
            if (next === undefined || next <= at || next % 1_000 !== 0) return false;
            at = next;
          }
          return true;
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  it('can be told to the second', () => {
    const cron = new CronTimes('*/2 * * * * *', 'UTC');
    const at = Date.UTC(2026, 0, 1);
    expect(cron.next(at)).toBe(at + 2_000);
    expect(cron.next(at + 1_999)).toBe(at + 2_000);
  });
});

describe('a cron expression', () => {
  it.each([
    '0 3 * * *',
    '*/15 0-6 1,15 * MON-FRI',
    '*/2 * * * * *',
    '@daily',
    '0 0 29 2 *',
    '  0 3 * * *  ',
    '0 3 L * *',
  ])('may be %s', (text) => {
    expect(cronFault(text)).toBeUndefined();
  });

  it.each([
    '',
    '@reboot',
    '@often',
    '61 * * * *',
    '* * * *',
    '* * * * * * *',
    '2027-01-01T00:00:00',
    '0 3 * * FUN',
    '*/0 * * * *',
    'hunter2',
  ])('cannot be "%s"', (text) => {
    expect(cronFault(text)).toMatch(/^expected a cron expression/);
  });

  it.each(['0 0 31 2 *', '0 0 31 4,6,9,11 *'])('is of no use as %s', (text) => {
    expect(cronFault(text)).toBe('this time never comes');
  });
});

describe('a time zone', () => {
  it.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires'])('may be %s', (name) => {
    expect(isTimeZone(name)).toBe(true);
  });

  it.each(['', 'Berlin', 'Europe/Berln', '../UTC'])('cannot be "%s"', (name) => {
    expect(isTimeZone(name)).toBe(false);
  });
});
