import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { BLOCK_SIZE, blobOf, blockOf, imageOf } from '../../bench/content.ts';

const sha256 = (bytes: Buffer | string) =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

describe('bench content', () => {
  it('knows the digest of a repeated block', () => {
    const size = 2 * BLOCK_SIZE + 1000;
    const block = blockOf(7);
    const whole = Buffer.concat([block, block, block]).subarray(0, size);
    expect(blobOf(7, size, 0).digest).toBe(sha256(whole));
  });

  it('makes another blob of another seed', () => {
    expect(blobOf(1, 5000, 0).digest).not.toBe(blobOf(2, 5000, 0).digest);
  });

  it('lists the blobs in a manifest of the usual size', () => {
    const blob = blobOf(1, 5000, 0);
    const image = imageOf('library/bench', [blob]);
    const manifest = JSON.parse(image.manifest) as { layers: { digest: string }[] };
    expect(manifest.layers).toHaveLength(6);
    expect(manifest.layers[0]?.digest).toBe(blob.digest);
    expect(image.digest).toBe(sha256(image.manifest));
  });
});
