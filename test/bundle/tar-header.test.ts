import { describe, expect, it } from '@jest/globals';
import { extract } from 'tar-stream';
import { padding, tarEnd, tarHeader, tarSize } from '../../src/bundle/tar-header.ts';

interface Header {
  readonly name: string;
  readonly size?: number | undefined;
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly mtime?: Date | undefined;
}

/** What a reader of tars makes of a header. */
async function read(bytes: Buffer): Promise<Header> {
  const { promise, resolve, reject } = Promise.withResolvers<Header>();
  const entries = extract();
  entries.on('entry', (header) => resolve(header)).on('error', reject);
  entries.write(bytes);
  const header = await promise;
  entries.destroy();
  return header;
}

describe('the header of a file in a tar', () => {
  it.each([0, 1, 511, 512, 8 ** 11 - 1, 8 ** 11, 40 * 1024 ** 4])(
    'tells a size of %d bytes',
    async (size) => {
      expect(await read(tarHeader('blobs/x', size))).toMatchObject({ name: 'blobs/x', size });
    },
  );

  it.each([1, 99, 100, 101, 141, 300])('tells a path of %d characters', async (length) => {
    const name = 'p'.repeat(length);
    expect(await read(tarHeader(name, 7))).toMatchObject({ name, size: 7 });
  });

  it('says nothing of who wrote the file when', async () => {
    const header = await read(tarHeader('a', 1));
    expect(header).toMatchObject({ mode: 0o644, uid: 0, mtime: new Date(0) });
  });

  it('counts what stands around a file', () => {
    expect(tarSize('a', 0)).toBe(512);
    expect(tarSize('a', 1)).toBe(1024);
    expect(tarSize('a', 512)).toBe(1024);
    expect(tarSize('p'.repeat(200), 513)).toBe(512 * 3 + 1024);
    expect([padding(0), padding(512), padding(500)].map(({ length }) => length)).toEqual([
      0, 0, 12,
    ]);
    expect(tarEnd.equals(Buffer.alloc(1024))).toBe(true);
  });
});
