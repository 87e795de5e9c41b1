import { resolve } from 'node:path';
import { z } from 'zod';
import { formatByteSize, parseByteSize } from '../lib/byte-size.ts';
import { formatDuration, parseDuration } from '../lib/duration.ts';
import { formatShare, parseShare } from '../lib/share.ts';
import type { Listen } from './config.ts';
import { parseFloor } from './floor.ts';
import { parseListen } from './listen.ts';
import { trimUrl, urlFault } from './url.ts';

/**
 * The kinds of values in the file, each a zod schema that turns text into its resolved form.
 *
 * `meta.kind` tells the rest of the house what a value is (how to print it, whether it is a
 * secret, whether it names a file) through the JSON schema. No message quotes the value: a
 * password may have been put in the wrong place.
 */
export type Kind =
  | 'bytes'
  | 'share'
  | 'duration'
  | 'listen'
  | 'listen_or_off'
  | 'upstream_or_none'
  | 'tag_ttl'
  | 'floor'
  | 'url'
  | 'secret'
  | 'file';

/** A value read by a parser of the house. Numbers are let through to it: YAML makes one of a bare `0`. */
function parsed<T>(kind: Kind, expected: string, parse: (text: string) => T | undefined) {
  const message = `expected ${expected}`;
  return z
    .union([z.string(), z.number()], { error: message })
    .transform((value, context): T => {
      const result = parse(String(value));
      if (result !== undefined) return result;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .meta({ kind });
}

/** Bytes. */
export function bytes({ min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number }) {
  return parsed('bytes', 'a size such as 512KiB, 50GiB or 10MB', parseByteSize).refine(
    (value) => value >= min && value <= max,
    {
      error:
        max === Number.MAX_SAFE_INTEGER
          ? `must be at least ${formatByteSize(min)}`
          : `must be from ${formatByteSize(min)} to ${formatByteSize(max)}`,
    },
  );
}

/** A share, written `90%` or `0.9`, as a number from 0 to 1. */
export function share({ min = 0, max = 1 }: { min?: number; max?: number } = {}) {
  return parsed('share', 'a share such as 90%', parseShare).refine(
    (value) => value >= min && value <= max,
    { error: `must be from ${formatShare(min)} to ${formatShare(max)}` },
  );
}

const day = 86_400_000;

/** Milliseconds, up to a hundred years. */
export function duration({ min = 0, max = 36_500 * day }: { min?: number; max?: number } = {}) {
  return parsed(
    'duration',
    'a duration with its unit, such as 250ms, 30s, 1h30m or 7d',
    parseDuration,
  ).refine((value) => value >= min && value <= max, {
    error: `must be from ${formatDuration(min)} to ${formatDuration(max)}`,
  });
}

/** Milliseconds; 0 for `off`. */
export function durationOrOff() {
  return parsed('duration', 'a duration with its unit, such as 30d, or off', (text) =>
    text === 'off' || text === 'false' ? 0 : parseDuration(text),
  ).refine((value) => value <= 36_500 * day, { error: 'must be at most 36500d' });
}

/** Milliseconds that end up in a timer: never zero, which would mean "for ever" to many of them. */
export function timeout() {
  return duration({ min: 1, max: day });
}

export function listen() {
  return parsed(
    'listen',
    'an address and a port, such as "0.0.0.0:5000", "[::]:5000" or ":5000"',
    parseListen,
  );
}

/** An address, or undefined for `off`; YAML readers of the older kind make `false` of it. */
export function listenOrOff() {
  const message = 'expected an address and a port, such as "127.0.0.1:5001", or off';
  return z
    .union([z.string(), z.literal(false)], { error: message })
    .transform((value, context): Listen | undefined => {
      if (value === false || value === 'off') return undefined;
      const result = parseListen(value);
      if (result === undefined) context.addIssue({ code: 'custom', message });
      return result;
    })
    .meta({ kind: 'listen_or_off' satisfies Kind });
}

/** A URL without a slash at its end. */
export function url(
  schemes: readonly string[],
  options: { credentials: boolean } = { credentials: false },
) {
  return z
    .string({ error: 'expected a URL' })
    .transform((text, context) => {
      const fault = urlFault(text, schemes, options);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      return trimUrl(text);
    })
    .meta({ kind: 'url' satisfies Kind });
}

/** The origin of a token server, `https://auth.example.com`, as URL.origin writes it. */
export function origin() {
  const message = 'expected an origin, such as https://auth.example.com';
  return z.string({ error: message }).transform((value, context) => {
    if (urlFault(value, ['https', 'http'], { credentials: false }) === undefined) {
      const { origin, pathname } = new URL(value);
      if (pathname === '/') return origin;
    }
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

/** Text as it stands, not empty. */
export function text() {
  return z
    .string({ error: 'expected text (a bare number or yes/no word needs quotes)' })
    .min(1, 'must not be empty');
}

export function secret() {
  return text().meta({ kind: 'secret' satisfies Kind });
}

/** A path; relative ones start at the working directory. */
export function path() {
  return text().transform((value) => resolve(value));
}

/** The path of a file that has to be there. */
export function file() {
  return path().meta({ kind: 'file' satisfies Kind });
}

/** true or false; as text too, since that is what an environment variable holds. */
export function flag() {
  return z
    .union([z.boolean(), z.enum(['true', 'false'])], { error: 'expected true or false' })
    .transform((value) => value === true || value === 'true');
}

/** A whole number; as text too. */
export function integer(min: number, max: number) {
  const message = `expected a whole number from ${min} to ${max}`;
  return z
    .union([z.number(), z.string().regex(/^\d{1,9}$/, message)], { error: message })
    .transform(Number)
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error: message });
}

/** A share of a limit, or a number of requests. */
export function floor() {
  return parsed('floor', 'a share such as 10%, or a number of requests', parseFloor);
}

/** A registry's host, with its port where there is one, in lower case. */
export function host() {
  return z
    .string({ error: 'expected a host name' })
    .trim()
    .toLowerCase()
    .regex(
      /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/,
      'expected a host name, with or without a port',
    );
}

/** A glob over repository names or tags. */
export function glob() {
  return z
    .string({ error: 'expected a glob, such as library/*' })
    .min(1, 'must not be empty')
    .max(1024, 'is too long');
}

/**
 * A glob over repository names, where several are given: picomatch would let through whatever a
 * pattern with "!" does not match, whatever the others say.
 */
export function positiveGlob() {
  return glob().refine((pattern) => !pattern.startsWith('!'), {
    error: 'nothing can be excluded here: name what is meant',
  });
}
