import { describe, expect, it } from '@jest/globals';
import { parseRegistryUrl } from '../../src/upstream/registry-url.ts';

describe('parseRegistryUrl', () => {
  it.each([
    ['https://reef.test', 'https://reef.test/v2/', ''],
    ['https://reef.test/', 'https://reef.test/v2/', ''],
    ['http://reef.test:5000/art/docker', 'http://reef.test:5000/art/docker/v2/', ''],
    ['https://reef.test/v2', 'https://reef.test/v2/', ''],
    ['https://reef.test/v2/hub/', 'https://reef.test/v2/', 'hub/'],
    ['https://reef.test/a/v2/hub/x', 'https://reef.test/a/v2/', 'hub/x/'],
    ['https://reef.test//elsewhere.test', 'https://reef.test//elsewhere.test/v2/', ''],
    ['https://reef.test/v2ray', 'https://reef.test/v2ray/v2/', ''],
  ])('reads %s', (text, root, prefix) => {
    const url = parseRegistryUrl(text);
    expect([url.root.href, url.prefix]).toEqual([root, prefix]);
  });

  it.each(['reef.test', 'ftp://reef.test', 'https://u:p@reef.test', 'https://reef.test/?q', ''])(
    'refuses %j',
    (text) => {
      expect(() => parseRegistryUrl(text)).toThrow(/^a registry/);
    },
  );
});
