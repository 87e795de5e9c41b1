import { z } from 'zod';
import { bytes, duration, durationOrOff, flag, glob, integer } from './scalars.ts';

/** One entry of `hosted.rules`. */
const rule = z
  .strictObject({
    repositories: z.array(glob()).min(1, 'must not be empty: leave it out').prefault(['**']),
    tags: z.array(glob()).min(1, 'must not be empty: leave it out').prefault(['*']),
    immutable: flag().prefault(false),
    keep_last: integer(1, 1_000_000).optional(),
    keep_for: duration({ min: 1_000 }).optional(),
  })
  .refine(
    ({ immutable, keep_last, keep_for }) =>
      immutable || keep_last !== undefined || keep_for !== undefined,
    { error: 'says nothing: give it immutable, keep_last or keep_for' },
  );

const gc = z.strictObject({
  interval: durationOrOff().prefault('1d'),
  grace: duration().prefault('1d'),
  untagged: durationOrOff().prefault('off'),
});

/** `hosted`: the repositories that live here. */
export const hostedSchema = z.strictObject({
  repositories: z.array(glob()).prefault([]),
  delete: flag().prefault(true),
  rules: z.array(rule).prefault([]),
  gc: gc.prefault({}),
  max_blob_size: bytes({ min: 1 }).prefault('100GiB'),
  max_uploads: integer(1, 1_000_000).prefault(4_096),
  upload_ttl: duration({ min: 1_000 }).prefault('1d'),
});
