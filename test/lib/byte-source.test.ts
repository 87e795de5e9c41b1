import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { FileSource, type ByteSource } from '../../src/lib/byte-source.ts';
import { seededBytes } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

const resources = testResources();

describe('FileSource', () => {
  it('reads files as if they were one, and keeps what it gave until the call after the next', async () => {
    const { path } = resources.use(tempDir());
    const bytes = seededBytes(6_500_000, 1);
    const parts = [
      bytes.subarray(0, 3_000_000),
      bytes.subarray(3_000_000, 3_000_001),
      bytes.subarray(3_000_001),
    ];
    const paths = parts.map((_, at) => join(path, `part.${at}`));
    for (const [at, part] of parts.entries()) await writeFile(paths[at]!, part);
    const source: ByteSource = new FileSource(paths);
    resources.defer(() => source.close());
    const read: Buffer[] = [];
    let last: Buffer | undefined;
    for (let next = await source.next(); next !== undefined; next = await source.next()) {
      if (last !== undefined) read.push(Buffer.from(last));
      last = next;
    }
    read.push(last!);
    expect(Buffer.concat(read).equals(bytes)).toBe(true);
  });

  it('fails where a file is missing, and can be closed all the same', async () => {
    const { path } = resources.use(tempDir());
    const source = new FileSource([join(path, 'none')]);
    await expect(source.next()).rejects.toMatchObject({ code: 'ENOENT' });
    await source.close();
  });
});
