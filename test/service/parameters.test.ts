import { describe, expect, it } from '@jest/globals';
import { gcParameters, imagesOf, purgeParameters } from '../../src/service/purge-parameters.ts';
import { upstreamNames } from '../../src/service/upstream-names.ts';
import { verifyParameters } from '../../src/service/verify-parameters.ts';
import { loadConfig } from '../../src/config/load.ts';

const invalid = expect.objectContaining({ code: 'REQUEST_INVALID' });

describe('what a verification is given', () => {
  it.each([
    [{}, { repair: false, rate: Infinity }],
    [{ repair: true }, { repair: true, rate: Infinity }],
    [{ rate: 1000 }, { repair: false, rate: 1000 }],
    [{ rate: '1MiB' }, { repair: false, rate: 1_048_576 }],
  ])('%j is understood', (given, expected) => {
    expect(verifyParameters(given)).toEqual(expected);
  });

  it.each([{ repair: 'yes' }, { rate: 0 }, { rate: 'fast' }, { rate: [1] }, { repiar: true }])(
    '%j is refused',
    (given) => {
      expect(() => verifyParameters(given)).toThrow(invalid);
    },
  );
});

describe('what a purge is given', () => {
  it('is a list, and whether it is meant', () => {
    expect(purgeParameters({ targets: ['a'] })).toEqual({
      targets: ['a'],
      dryRun: false,
      force: false,
    });
    expect(purgeParameters({ targets: ['a'], dry_run: true, force: true })).toEqual({
      targets: ['a'],
      dryRun: true,
      force: true,
    });
  });

  it.each([
    {},
    { targets: [] },
    { targets: 'nginx' },
    { targets: [5] },
    { targets: ['a'], dry_run: 'true' },
    { targets: ['a'], force: 1 },
    { targets: ['a'], dryRun: true },
    { targets: Array.from({ length: 10_001 }, () => 'a') },
  ])('is refused where it is something else', (given) => {
    expect(() => purgeParameters(given)).toThrow(invalid);
  });

  it('names upstreams by all their names', () => {
    const { upstreams, defaultUpstream } = upstreamNames(loadConfig({ env: {} }));
    expect(defaultUpstream).toBe('docker.io');
    expect(upstreams.get('index.docker.io')).toBe('docker.io');
    expect(upstreams.get('ghcr.io')).toBe('ghcr.io');
  });
});

describe('what a collection of garbage is given', () => {
  it('is whether it is meant', () => {
    expect(gcParameters({})).toEqual({ dryRun: false });
    expect(gcParameters({ dry_run: true })).toEqual({ dryRun: true });
  });

  it.each([{ dry_run: 1 }, { dry_run: 'true' }, { dry_run: null }, { dryRun: true }])(
    '%j is refused, and nothing goes',
    (given) => {
      expect(() => gcParameters(given)).toThrow(invalid);
    },
  );
});

describe('what is to be pinned', () => {
  it('is a list of images, and nothing else', () => {
    expect(imagesOf({ images: ['a', 'b'] })).toEqual(['a', 'b']);
    for (const given of [{}, { images: 'a' }, { images: [1] }, { images: ['a'], force: true }]) {
      expect(() => imagesOf(given)).toThrow(invalid);
    }
  });
});
