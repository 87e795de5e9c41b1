import { describeByteSize } from '../lib/byte-size.ts';

/**
 * What there is to say where a store cannot hold all that is wanted; undefined where it can, as far as
 * is known.
 * @param bytes of all that the images consist of
 * @param maxSize `storage.max_size` in bytes; undefined for no limit
 */
export function tooSmall(bytes: number, maxSize: number | undefined): string | undefined {
  if (maxSize === undefined || bytes <= maxSize) return undefined;
  const [needed, limit] = [bytes, maxSize].map(describeByteSize);
  return `the images take more than ${needed}, and storage.max_size is ${limit}: what is warmed last will push out what was warmed first`;
}
