import { z } from 'zod';
import { cronFault, isTimeZone } from '../lib/cron.ts';
import { parsePlatform } from '../oci/platform.ts';
import { didYouMean } from './near-match.ts';
import { bytes, flag, integer, path, text } from './scalars.ts';
import { observedName } from './warm-config.ts';

const KiB = 1024;

/** A schedule's name: a file on disk, and a label of metrics. */
const scheduleName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,62}$/,
    'a schedule is named in lower-case letters, digits, "-" and "_"',
  )
  .refine((name) => name !== observedName, 'this is what warm.observed is called');

const cron = z
  .string({ error: 'expected a cron expression in quotes' })
  .transform((value, context) => {
    const message = cronFault(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
    return value.trim();
  });

const timeZone = z.string({ error: 'expected a time zone' }).refine(isTimeZone, {
  error: ({ input }) =>
    `expected a time zone such as Europe/Berlin${didYouMean(String(input), Intl.supportedValuesOf('timeZone'))}`,
});

const platform = z.string({ error: 'expected a platform' }).refine(isPlatform, {
  error: 'expected a platform such as linux/amd64 or linux/arm/v7, or all',
});

const platforms = z.array(platform).min(1, 'must not be empty: leave it out');

const schedule = z
  .strictObject({
    images: z.array(text()).prefault([]),
    // Not `file`: a list that is written later must not keep Baleen from starting.
    files: z.array(path()).prefault([]),
    cron,
    time_zone: timeZone.prefault('UTC'),
    platforms: platforms.optional(),
    referrers: flag().prefault(false),
    pin: flag().prefault(false),
    newest: integer(1, 1000).optional(),
  })
  .refine(({ images, files }) => images.length + files.length > 0, {
    error: 'says nothing: give it images or files',
  });

const observed = z.strictObject({
  keep: integer(1, 1000).prefault(50),
  days: integer(1, 90).prefault(14),
  cron: cron.prefault('*/30 * * * *'),
  time_zone: timeZone.prefault('UTC'),
});

/** `warm`: what is fetched before anybody asks for it. */
export const warmSchema = z.strictObject({
  platforms: platforms.prefault(['linux/amd64']),
  jobs: integer(1, 64).prefault(4),
  bandwidth: bytes({ min: KiB }).optional(),
  schedules: z.record(scheduleName, schedule).prefault({}),
  observed: observed.optional(),
});

function isPlatform(value: string): boolean {
  if (value.trim().toLowerCase() === 'all') return true;
  try {
    parsePlatform(value);
    return true;
  } catch {
    return false;
  }
}
