import { describe, expect, it } from '@jest/globals';
import { expandTagPattern, newestOf, parseTagPattern } from '../../src/warm/tag-pattern.ts';

const { signal } = new AbortController();

describe('a reference with a pattern', () => {
  it.each([
    ['docker.io/library/nginx:1.2*', 'docker.io/library/nginx', '1.2*'],
    ['nginx:*', 'nginx', '*'],
    ['localhost:5000/app:v?.[0-9]', 'localhost:5000/app', 'v?.[0-9]'],
    ['ghcr.io/org/app:{1,2}.x', 'ghcr.io/org/app', '{1,2}.x'],
  ])('%s is understood', (text, name, pattern) => {
    expect(parseTagPattern(text)).toEqual({ name, pattern });
  });

  it.each([
    'nginx',
    'nginx:1.27',
    'localhost:5000/app',
    'docker.io/library/*',
    'docker.io/library/*:1.0',
    'nginx:*@sha256:00',
    'nginx:1/*',
    'nginx:* ',
    `nginx:${'*'.repeat(300)}`,
    '',
  ])('is something else than %j', (text) => expect(parseTagPattern(text)).toBeUndefined());
});

describe('a pattern of tags', () => {
  const tags = [
    '1.26.2',
    '1.27.0',
    '1.27.0-alpine',
    '2.0',
    'latest',
    `sha256-${'0'.repeat(64)}.sig`,
  ];
  const expand = (reference: string, newest?: number): Promise<string[]> => {
    const pattern = parseTagPattern(reference);
    if (pattern === undefined) throw new Error('no pattern');
    return expandTagPattern(pattern, newest, () => Promise.resolve(tags), signal);
  };

  it('stands for every tag that fits it, but not for what is said about images', async () => {
    expect(await expand('nginx:1.2*')).toEqual([
      'nginx:1.26.2',
      'nginx:1.27.0',
      'nginx:1.27.0-alpine',
    ]);
    expect(await expand('nginx:*')).toEqual(tags.slice(0, -1).map((tag) => `nginx:${tag}`));
  });

  it('stands for the newest of them where so many are wanted', async () => {
    expect(await expand('nginx:*', 2)).toEqual(['nginx:2.0', 'nginx:1.27.0']);
    expect(await expand('nginx:1.*', 1)).toEqual(['nginx:1.27.0']);
    expect(await expand('nginx:*-alpine', 9)).toEqual(['nginx:1.27.0-alpine']);
  });

  it('that nothing fits is a failure that says so', async () => {
    await expect(expand('nginx:3.*')).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: 'none of its 6 tags fits the pattern',
    });
    await expect(expand('nginx:la*', 1)).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: 'none of the tags that fit is a version',
    });
  });

  it('never stands for more tags than anybody can mean', async () => {
    const many = Array.from({ length: 5_001 }, (_, nth) => String(nth));
    const list = (): Promise<string[]> => Promise.resolve(many);
    const pattern = { name: 'x', pattern: '*' };
    await expect(expandTagPattern(pattern, undefined, list, signal)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
    expect(await expandTagPattern(pattern, 1, list, signal)).toEqual(['x:5000']);
  });
});

describe('the newest tags', () => {
  it.each<[what: string, tags: string[], count: number, newest: string[]]>([
    ['are those with the largest numbers', ['1.9', '1.10', '1.2'], 2, ['1.10', '1.9']],
    ['are fewer where there are fewer', ['1.9', 'latest'], 3, ['1.9']],
    ['may have a v in front', ['v1.2.0', 'v1.10.0', 'v1.9.0'], 2, ['v1.10.0', 'v1.9.0']],
    [
      'are releases first, whatever pre-releases there are',
      ['1.28.0-rc.1', '1.27.0', '1.28.0-rc.10', '1.28.0-rc.2', '1.28.0-beta.9'],
      4,
      ['1.27.0', '1.28.0-rc.10', '1.28.0-rc.2', '1.28.0-rc.1'],
    ],
    [
      'know pre-releases without a dash',
      ['3.14.0b1', '3.13.0', '3.14.0a7'],
      2,
      ['3.13.0', '3.14.0b1'],
    ],
    ['are plain ones where there are any', ['1.28-alpine', '1.27', '1.26-perl'], 3, ['1.27']],
    [
      'are of the variant where the pattern lets through only that',
      ['1.27-alpine', '1.9-alpine', '1.28-rc1-alpine'],
      3,
      ['1.27-alpine', '1.9-alpine', '1.28-rc1-alpine'],
    ],
    [
      'are of the variant with the shortest name where several are left',
      ['1.27-alpine-slim', '1.26-alpine', '1.27-alpine'],
      2,
      ['1.27-alpine', '1.26-alpine'],
    ],
    [
      'count the numbers of their variant last',
      ['1.27-alpine3.9', '1.27-alpine3.20', '1.26-alpine3.21'],
      2,
      ['1.27-alpine3.20', '1.27-alpine3.9'],
    ],
    [
      'count one version once, as precisely as it is named',
      ['1', '1.27', '1.27.0', 'v1.27.0', '1.26.9'],
      2,
      ['1.27.0', '1.26.9'],
    ],
    ['are never a date where there are versions', ['20240923', '3.20', '3.9'], 1, ['3.20']],
    ['are dates where there is nothing else', ['20240923', '20250101'], 1, ['20250101']],
    [
      'may have more digits than a number holds',
      ['1.99999999999999999999', '1.100000000000000000000'],
      1,
      ['1.100000000000000000000'],
    ],
    ['know revisions', ['1.2.3-debian-12-r9', '1.2.3-debian-12-r10'], 1, ['1.2.3-debian-12-r10']],
    [
      'are told in no time, whatever an upstream calls its tags',
      [`1rc${'1'.repeat(120)}x`, '1.0'],
      1,
      ['1.0'],
    ],
    ['are none where no tag is a version', ['latest', 'stable', '7f3c2d1', 'bookworm'], 1, []],
  ])('%s', (_what, tags, count, newest) => {
    expect(newestOf(tags, count)).toEqual(newest);
    expect(newestOf(tags.toReversed(), count)).toEqual(newest);
  });

  it('are found at once among tags that were made up to take hours', () => {
    const endless = ['1-rc', '1-alpha', '1b'].map((front) => `${front}${'1'.repeat(110)}x`);
    expect(newestOf(['1.27', ...endless], 1)).toEqual(['1.27']);
  });
});
