import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { chunkBatches } from '../../src/registry/chunk-batches.ts';

/** Reads a body to its end. */
async function read(body: Readable): Promise<string> {
  const parts: Buffer[] = [];
  for await (const batch of chunkBatches(body)) parts.push(...batch);
  return Buffer.concat(parts).toString();
}

/** Settles when it is closed, whatever it failed with. */
function closed(body: Readable): Promise<unknown> {
  return new Promise((resolve) => body.once('close', resolve));
}

describe('the batches of a body', () => {
  it('hold all of it', async () => {
    expect(await read(Readable.from([Buffer.from('bale'), Buffer.from('en')]))).toBe('baleen');
  });

  it('end with the failure of the body', async () => {
    const body = new Readable({ read() {} });
    const reading = read(body);
    body.push('bal');
    body.destroy(new Error('broken'));
    await expect(reading).rejects.toThrow('broken');
  });

  it('end at once where the body failed before it was read', async () => {
    const body = new Readable({ read() {} });
    body.on('error', () => undefined);
    body.destroy(new Error('broken'));
    await closed(body);
    await expect(read(body)).rejects.toThrow('broken');
  });

  it('end at once where the body was closed before it was read', async () => {
    const body = new Readable({ read() {} });
    body.destroy();
    await closed(body);
    expect(await read(body)).toBe('');
  });
});
