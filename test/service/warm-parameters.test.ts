import { describe, expect, it } from '@jest/globals';
import { hostPlatform, warmParameters } from '../../src/service/warm-parameters.ts';

const invalid = expect.objectContaining({ code: 'REQUEST_INVALID' });
const images = [{ reference: 'nginx:1.27' }];
const amd64 = { os: 'linux', architecture: 'amd64' };

describe('what a warming is given', () => {
  it('needs no more than images: they are fetched for machines like this one', () => {
    expect(warmParameters({ images: ['nginx'] })).toEqual(
      warmParameters({ images: [{ reference: 'nginx' }], platforms: [hostPlatform()] }),
    );
    expect(warmParameters({ images, platforms: ['linux/amd64'] })).toEqual({
      images: [{ reference: 'nginx:1.27', platforms: [amd64], newest: undefined }],
      referrers: false,
      jobs: 4,
      dryRun: false,
      pin: false,
      bandwidth: Infinity,
    });
  });

  it('may say more of all images, and of each', () => {
    const given = {
      images: [{ reference: 'nginx:1.*', platforms: ['all'], newest: 3 }],
      referrers: true,
      jobs: 8,
      dry_run: true,
      pin: true,
      bandwidth: '1MiB',
    };
    expect(warmParameters(given)).toEqual({
      images: [{ reference: 'nginx:1.*', platforms: 'all', newest: 3 }],
      referrers: true,
      jobs: 8,
      dryRun: true,
      pin: true,
      bandwidth: 1_048_576,
    });
  });

  it.each([
    {},
    { images: [] },
    { images: 'nginx' },
    { images: [5] },
    { images: [{}] },
    { images: [{ reference: 'nginx', tag: '1' }] },
    { images: [{ reference: 'nginx', newest: 0 }] },
    { images: Array.from({ length: 10_001 }, () => 'nginx') },
    { images, platforms: [] },
    { images, platforms: 'linux/amd64' },
    { images, platforms: ['Linux 5'] },
    { images, jobs: 0 },
    { images, jobs: 1.5 },
    { images, jobs: 1000 },
    { images, bandwidth: 0 },
    { images, bandwidth: 'fast' },
    { images, referrers: 'yes' },
    { images, dryRun: true },
  ])('is refused where it is something else', (given) => {
    expect(() => warmParameters(given)).toThrow(invalid);
  });
});
