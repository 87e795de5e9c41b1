import { describe, expect, it } from '@jest/globals';
import { Rate } from '../../src/cli/rate.ts';
import { WarmStatus } from '../../src/cli/warm-status.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { ImageDone, ImagePlanned, WarmProgress } from '../../src/warm/warm-event.ts';

const digest = `sha256:${'0'.repeat(64)}` as Digest;
const mib = 1024 * 1024;

const planned = (image: string, present = 0): ImagePlanned => ({
  kind: 'planned',
  image,
  digest,
  platforms: ['linux/amd64'],
  blobs: 4,
  bytes: 100 * mib + present,
  present_blobs: present > 0 ? 1 : 0,
  present_bytes: present,
});
const progress = (bytes: number, more: Partial<WarmProgress> = {}): WarmProgress => ({
  kind: 'progress',
  bytes,
  total: 100 * mib,
  images_done: 1,
  images: 3,
  ...more,
});
const done = (image: string): ImageDone => ({
  kind: 'image',
  image,
  result: 'warmed',
  fetched_bytes: 1,
  fetched_blobs: 1,
});

describe('how far warming has come', () => {
  it('is told for each image that is at work, and for all', () => {
    const status = new WarmStatus(4);
    expect(status.lines(80)).toEqual(['reading manifests …']);
    status.note(planned('docker.io/library/nginx:1.27', 20 * mib), 0);
    status.note(planned('ghcr.io/org/app:1'), 0);
    status.note(progress(0), 0);
    const at_work = [{ image: 'ghcr.io/org/app:1', bytes: 10 * mib, total: 100 * mib }];
    status.note(progress(25 * mib, { at_work }), 5_000);
    expect(status.lines(80)).toEqual([
      '  docker.io/library/nginx:1.27  100 MiB, 20 MiB were there',
      '  ghcr.io/org/app:1  10 MiB of 100 MiB',
      '1 of 3 images, 25 MiB of 100 MiB (25%), 5 MiB/s, 15s left, 20 MiB were there',
    ]);
    status.note(done('ghcr.io/org/app:1'), 6_000);
    status.note(done('docker.io/library/nginx:1.27'), 6_000);
    expect(status.lines(80)).toHaveLength(1);
  });

  it('takes no more lines than there are jobs, and two', () => {
    const status = new WarmStatus(2);
    for (const name of ['a:1', 'b:1', 'c:1', 'd:1']) status.note(planned(name), 0);
    status.note(progress(0), 0);
    expect(status.lines(80)).toEqual([
      '  a:1  100 MiB',
      '  b:1  100 MiB',
      '  and 2 more',
      '1 of 3 images, 0 B of 100 MiB (0%)',
    ]);
  });

  it('cuts a long name in the middle, where it says least', () => {
    const status = new WarmStatus(1);
    status.note(planned(`registry.example.com/${'long/'.repeat(20)}app:1.27`), 0);
    const [line = ''] = status.lines(60);
    expect(line).toMatch(/^ {2}registry\.example\S*…\S*app:1\.27 {2}100 MiB$/);
    expect(line.length).toBeLessThan(60);
  });

  it('says that it waits, until something moves', () => {
    const status = new WarmStatus(1);
    status.note(progress(mib), 0);
    status.note({ kind: 'waiting', upstream: 'docker.io', seconds: 30, reason: 'budget' }, 0);
    status.note(progress(mib), 1_000);
    expect(status.lines(80)).toEqual([
      '1 of 3 images, 1 MiB of 100 MiB (1%), waiting for docker.io',
    ]);
    status.note(progress(2 * mib), 2_000);
    expect(status.lines(80)).toEqual([
      '1 of 3 images, 2 MiB of 100 MiB (2%), 512 KiB/s, 3m16s left',
    ]);
  });
});

describe('a rate', () => {
  it('is that of the last seconds', () => {
    const rate = new Rate();
    expect(rate.perSecond).toBeUndefined();
    rate.note(0, 0);
    rate.note(1_000, 100);
    expect(rate.perSecond).toBeUndefined();
    for (let second = 1; second <= 20; second += 1) rate.note(1_000 * second, 1_000 * second);
    expect(rate.perSecond).toBe(1_000);
    for (let second = 21; second <= 40; second += 1) rate.note(20_000, 1_000 * second);
    expect(rate.perSecond).toBe(0);
  });
});
