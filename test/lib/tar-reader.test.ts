import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { StreamSource } from '../../src/lib/byte-source.ts';
import { TarFault } from '../../src/lib/tar-header.ts';
import { TarReader } from '../../src/lib/tar-reader.ts';
import { tar, tarEntry, type TarEntry } from '../support/tar.ts';

function readerOf(bytes: Buffer, piece = 700): TarReader {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += piece) chunks.push(bytes.subarray(at, at + piece));
  return new TarReader(new StreamSource(Readable.from(chunks)));
}

/** Everything in an archive, contents as text. */
async function all(reader: TarReader): Promise<{ name: string; type: string; content: string }[]> {
  const found = [];
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const parts: Buffer[] = [];
    for (let part = await reader.read(); part !== undefined; part = await reader.read()) {
      parts.push(Buffer.from(part));
    }
    const { name, type } = entry;
    found.push({ name, type, content: Buffer.concat(parts).toString('latin1') });
  }
  return found;
}

describe('TarReader', () => {
  it('reads what is in an archive, in whatever pieces it comes', async () => {
    const content = fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes));
    const files = fc.array(fc.record({ path: fc.constantFrom('a', 'b/c'), content }), {
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(files, fc.integer({ min: 1, max: 1_500 }), async (entries, piece) => {
        const read = await all(readerOf(tar(entries), piece));
        expect(read).toEqual(
          entries.map((entry) => ({
            name: entry.path,
            type: 'file',
            content: entry.content.toString('latin1'),
          })),
        );
      }),
      { numRuns: 50 },
    );
  });

  it('passes over what nobody reads', async () => {
    const reader = readerOf(
      tar([
        { path: 'a', content: 'x'.repeat(5_000) },
        { path: 'b', content: 'y' },
      ]),
    );
    await reader.next();
    await reader.read();
    expect((await reader.next())?.name).toBe('b');
    expect((await reader.whole(10)).toString()).toBe('y');
    expect(await reader.next()).toBeUndefined();
  });

  it('knows the long names of pax and of GNU tar', async () => {
    const long = `blobs/sha512/${'a'.repeat(128)}`;
    const record = `${` path=${long}\n`.length + 3} path=${long}\n`;
    const entries: TarEntry[] = [
      { path: 'PaxHeader', type: 'x', content: record },
      { path: 'short', content: '1' },
      { path: '././@LongLink', type: 'L', content: `${long}\0` },
      { path: 'short', content: '2' },
    ];
    expect((await all(readerOf(tar(entries)))).map(({ name }) => name)).toEqual([long, long]);
  });

  it('keeps no more than a limit of a content in memory', async () => {
    const reader = readerOf(tar([{ path: 'a', content: 'x'.repeat(100) }]));
    await reader.next();
    await expect(reader.whole(99)).rejects.toThrow(TarFault);
  });

  it('fails with nothing but its own fault, whatever it reads', async () => {
    const whole = tar([
      { path: 'a', content: 'x'.repeat(900) },
      { path: 'b', link: 'a' },
    ]);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.nat(255),
        fc.nat(whole.length),
        async (at, byte, end) => {
          const bytes = Buffer.from(whole);
          bytes[at] = byte;
          const failure: unknown = await all(readerOf(bytes.subarray(0, end))).catch(
            (error: unknown) => error,
          );
          expect(failure instanceof TarFault || Array.isArray(failure)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('tells where it is', async () => {
    const reader = readerOf(
      Buffer.concat([tarEntry({ path: 'a', content: 'abc' }), Buffer.alloc(1024)]),
    );
    await reader.next();
    expect(reader.position).toBe(512);
    expect(await reader.next()).toBeUndefined();
    expect(reader.position).toBe(2048);
  });
});
