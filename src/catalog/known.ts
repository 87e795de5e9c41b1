/**
 * Knowledge that several replicas may hold in different states, and the one rule by which they
 * agree: **the later one wins.** Every piece carries the time at which it was true (a tag: when
 * the upstream confirmed it), and "deleted" is a piece of knowledge like any other. So nothing has
 * to be flushed or replayed when a shared cache comes back after an absence: whatever it still
 * holds from before loses against what was learnt meanwhile, and is mended when it is next read.
 */
import { isDigest } from '../oci/digest.ts';
import type { Listing, Member, TagRecord } from './catalog.ts';

/** A piece of knowledge: a value, or (without one) that there is none any more. */
export interface Known<V> {
  /** When this was true, in milliseconds since the epoch. */
  readonly at: number;
  readonly value: V | undefined;
}

/** Turns a foreign value into a typed one, or gives undefined where it is not one. */
export type Parse<V> = (value: unknown) => V | undefined;

/**
 * How far ahead another replica's clock may be, in milliseconds. What claims to be from further in
 * the future is not believed: it would win against everything until then.
 */
export const maxClockSkew = 5_000;

/** The later of two; the first where they are equally late. */
export function later<V>(
  mine: Known<V> | undefined,
  other: Known<V> | undefined,
): Known<V> | undefined {
  if (mine === undefined || other === undefined) return mine ?? other;
  return other.at > mine.at ? other : mine;
}

/** Checks a piece of knowledge that came from outside this process. */
export function parseKnown<V>(raw: unknown, parse: Parse<V>, now: number): Known<V> | undefined {
  if (!isObject(raw) || !isTime(raw['at']) || raw['at'] > now + maxClockSkew) return undefined;
  const at = raw['at'];
  if (raw['value'] === undefined) return { at, value: undefined };
  const value = parse(raw['value']);
  return value === undefined ? undefined : { at, value };
}

export const parseTag: Parse<TagRecord> = (raw) => {
  if (!isObject(raw)) return undefined;
  const { digest, mediaType, size, checkedAt } = raw;
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined;
  if (typeof mediaType !== 'string' || !isSize(size) || !isTime(checkedAt)) return undefined;
  return { digest, mediaType, size, checkedAt };
};

export const parseMember: Parse<Member> = (raw) => {
  if (!isObject(raw)) return undefined;
  const { digest, mediaType, size, claimed } = raw;
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined;
  if (typeof mediaType !== 'string') return undefined;
  if (size !== undefined && !isSize(size)) return undefined;
  return {
    digest,
    mediaType,
    ...(size === undefined ? {} : { size }),
    // What is not clearly more than a claim is none.
    ...(claimed === undefined ? {} : { claimed: true }),
  };
};

export const parseListing: Parse<Listing> = (raw) => {
  if (!isObject(raw) || !isTime(raw['fetchedAt']) || raw['value'] === undefined) return undefined;
  return { value: raw['value'], fetchedAt: raw['fetchedAt'] };
};

/** A moment; the value of an absence mark is the moment at which it ends. */
export const parseTime: Parse<number> = (raw) => (isTime(raw) ? raw : undefined);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
