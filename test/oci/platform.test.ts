import { describe, expect, it } from '@jest/globals';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import {
  chooseChildren,
  formatPlatform,
  parsePlatform,
  parsePlatforms,
  rankFor,
  readPlatform,
} from '../../src/oci/platform.ts';

describe('a platform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['Linux/x86_64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/arm64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/7', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['macos/arm64', 'darwin/arm64'],
    ['windows/amd64:10.0.17763', 'windows/amd64:10.0.17763'],
    ['windows(10.0.17763)/amd64', 'windows/amd64:10.0.17763'],
    [' linux/s390x ', 'linux/s390x'],
    ['arm64', 'linux/arm64'],
  ])('that is written %s is %s', (text, normal) => {
    const platform = parsePlatform(text);
    expect(formatPlatform(platform)).toBe(normal);
    expect(parsePlatform(normal)).toEqual(platform);
  });

  it.each(['', 'linux', 'linux/', '/amd64', 'linux/amd64/v1/x', 'linux/am d64', 'a'.repeat(200)])(
    'is not %j',
    (text) => {
      expect(() => parsePlatform(text)).toThrow(
        expect.objectContaining({ code: 'REQUEST_INVALID' }),
      );
    },
  );

  it('is all where a list says so, and otherwise each that it names, once', () => {
    expect(parsePlatforms(['linux/amd64', 'ALL'])).toBe('all');
    expect(parsePlatforms(['linux/arm64', 'linux/arm64/v8', 'linux/amd64'])).toEqual([
      { os: 'linux', architecture: 'arm64' },
      { os: 'linux', architecture: 'amd64' },
    ]);
  });

  it.each([undefined, null, 'linux', {}, { os: 'linux' }, { os: '', architecture: '' }, { os: 1 }])(
    'is not read from %j',
    (value) => expect(readPlatform(value)).toBeUndefined(),
  );

  it.each([
    { os: 'linux\u001b[2J', architecture: 'amd64' },
    { os: 'linux', architecture: 'amd64; curl example.test | sh' },
    { os: 'linux', architecture: 'arm', variant: '$(id)' },
  ])('is not read from what is no word: %j', (value) => {
    expect(readPlatform(value)).toBeUndefined();
  });

  it('is read without a version of the system that is none', () => {
    const value = { os: 'windows', architecture: 'amd64', 'os.version': '10\r\n' };
    expect(readPlatform(value)).toEqual({ os: 'windows', architecture: 'amd64' });
  });
});

describe('a machine', () => {
  it.each([
    ['linux/amd64', 'linux/amd64', 0],
    ['linux/amd64', 'linux/386', 1],
    ['linux/amd64', 'linux/amd64/v2', undefined],
    ['linux/amd64/v3', 'linux/amd64/v3', 0],
    ['linux/amd64/v3', 'linux/amd64', 2],
    ['linux/386', 'linux/amd64', undefined],
    ['linux/arm64', 'linux/arm64/v8', 0],
    ['linux/arm64', 'linux/arm/v7', 2],
    ['linux/arm64/v9', 'linux/arm64', 1],
    ['linux/arm64', 'linux/arm64/v9', undefined],
    ['linux/arm/v7', 'linux/arm/v6', 1],
    ['linux/arm/v6', 'linux/arm/v7', undefined],
    ['linux/arm/v6', 'linux/arm64', undefined],
    ['linux/s390x', 'linux/s390x', 0],
    ['linux/amd64', 'windows/amd64', undefined],
    ['windows/amd64:10.0.17763', 'windows/amd64:10.0.17763.6414', 0],
    ['windows/amd64:10.0.17763', 'windows/amd64:10.0.177630', undefined],
    ['windows/amd64', 'windows/amd64:10.0.20348.1', 0],
  ])('of %s runs %s with rank %j', (machine, image, rank) => {
    expect(rankFor(parsePlatform(machine), parsePlatform(image))).toBe(rank);
  });
});

describe('the children of an index', () => {
  let nth = 0;
  const child = (platform?: object, annotations?: Record<string, string>): Descriptor => ({
    mediaType: mediaTypes.ociManifest,
    digest: `sha256:${String((nth += 1)).padStart(64, '0')}` as Digest,
    size: 1,
    ...(platform && { platform }),
    ...(annotations && { annotations }),
  });
  const on = (text: string): Descriptor => child({ ...parsePlatform(text) });
  const attestationOf = (digest: string): Descriptor =>
    child(
      { os: 'unknown', architecture: 'unknown' },
      {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': digest,
      },
    );
  const [amd64, arm64, armv6, armv7] = ['amd64', 'arm64', 'linux/arm/v6', 'linux/arm/v7'].map(
    on,
  ) as [Descriptor, Descriptor, Descriptor, Descriptor];

  it('are all of them where all are wanted', () => {
    const index = [amd64, attestationOf('sha256:0')];
    expect(chooseChildren(index, 'all')).toEqual({ children: index, missing: [] });
  });

  it('are the best for each machine, in the order of the index', () => {
    const index = [armv6, armv7, arm64, amd64];
    const wanted = parsePlatforms(['linux/amd64', 'linux/arm/v7']);
    expect(chooseChildren(index, wanted).children).toEqual([armv7, amd64]);
    expect(chooseChildren([armv6, amd64], wanted).children).toEqual([armv6, amd64]);
  });

  it('bring their attestations along, and no others', () => {
    const [ofAmd64, ofArm64] = [attestationOf(amd64.digest), attestationOf(arm64.digest)];
    const index = [amd64, arm64, ofAmd64, ofArm64];
    const { children } = chooseChildren(index, parsePlatforms(['linux/arm64']));
    expect(children).toEqual([arm64, ofArm64]);
  });

  it('bring what does not say whom it is about', () => {
    const unknown = child({ os: 'unknown', architecture: 'unknown' });
    const { children } = chooseChildren([amd64, arm64, unknown], parsePlatforms(['amd64']));
    expect(children).toEqual([amd64, unknown]);
  });

  it('are missing where none serves, and an attestation serves nobody', () => {
    const index = [amd64, attestationOf(amd64.digest)];
    const wanted = parsePlatforms(['linux/s390x', 'linux/amd64']);
    expect(chooseChildren(index, wanted)).toEqual({
      children: index,
      missing: [parsePlatform('linux/s390x')],
    });
  });

  it('are taken where they do not say what they are for', () => {
    const silent = child();
    expect(chooseChildren([silent, amd64], parsePlatforms(['s390x']))).toEqual({
      children: [silent],
      missing: [],
    });
  });

  it('of Windows are all of the version that is wanted', () => {
    const builds = ['10.0.17763.1', '10.0.20348.1'].map((version) =>
      child({ os: 'windows', architecture: 'amd64', 'os.version': version }),
    );
    expect(chooseChildren(builds, parsePlatforms(['windows/amd64:10.0.20348'])).children).toEqual([
      builds[1],
    ]);
    expect(chooseChildren(builds, parsePlatforms(['windows/amd64'])).children).toEqual(builds);
  });
});
