import { TarFault } from './tar-header.ts';

/**
 * The records of a pax header: `<length> <key>=<value>\n`, where the length counts the whole record
 * (POSIX.1-2017, pax, "pax Extended Header").
 * @throws TarFault
 */
export function parsePax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : bytes.toString('latin1', at, space);
    const length = /^[1-9]\d{0,6}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    const isRecord =
      end <= bytes.length && space < equals && equals < end - 1 && bytes[end - 1] === 0x0a;
    if (!isRecord) throw new TarFault('a pax header that is none');
    const key = bytes.toString('utf8', space + 1, equals);
    if (records.has(key)) throw new TarFault('a pax header that says two things');
    // The length was right: what is in a value may be anything, newlines included.
    records.set(key, bytes.toString('utf8', equals + 1, end - 1));
    at = end;
  }
  return records;
}
