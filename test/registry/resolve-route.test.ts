import { describe, expect, it } from '@jest/globals';
import type { Remote } from '../../src/registry/remote.ts';
import { assertAllowed, RouteTable } from '../../src/registry/resolve-route.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { policy } from '../support/scaffold.ts';

const remote = (name: string): Remote => ({
  name,
  upstream: new FakeUpstream(name),
  policy,
  permits: (repository) => !repository.startsWith('secret/'),
});
const entries = [
  {
    remote: remote('docker.io'),
    aliases: ['index.docker.io', 'registry-1.docker.io'],
    hosts: ['hub.mirror.local:5000'],
  },
  { remote: remote('ghcr.io'), aliases: [], hosts: [] },
  { remote: remote('registry.local:5000'), aliases: [], hosts: [] },
];
const table = new RouteTable(entries, 'docker.io');
const where = (name: string, ns?: string, host?: string): string => {
  const { via, key } = table.resolve({ name, ns, host });
  return `${via} ${key}`;
};

describe('a route', () => {
  it.each([
    ['alpine', undefined, undefined, 'default docker.io/library/alpine'],
    ['library/alpine', undefined, undefined, 'default docker.io/library/alpine'],
    ['org/app', undefined, undefined, 'default docker.io/org/app'],
    ['alpine', 'docker.io', undefined, 'ns docker.io/library/alpine'],
    ['library/alpine', 'registry-1.docker.io', undefined, 'ns docker.io/library/alpine'],
    ['org/app', 'GHCR.IO', undefined, 'ns ghcr.io/org/app'],
    ['ghcr.io/org/app', undefined, undefined, 'prefix ghcr.io/org/app'],
    ['docker.io/alpine', undefined, undefined, 'prefix docker.io/library/alpine'],
    ['index.docker.io/alpine', undefined, undefined, 'prefix docker.io/library/alpine'],
    ['registry.local:5000/app', undefined, undefined, 'prefix registry.local:5000/app'],
    ['alpine', undefined, 'HUB.mirror.local:5000', 'host docker.io/library/alpine'],
    ['alpine', undefined, 'elsewhere:5000', 'default docker.io/library/alpine'],
    // `ns` wins over the host, and a prefix that says the same as `ns` is not part of the name.
    ['org/app', 'ghcr.io', 'hub.mirror.local:5000', 'ns ghcr.io/org/app'],
    ['ghcr.io/org/app', 'ghcr.io', undefined, 'ns ghcr.io/org/app'],
    ['blobs/manifests', undefined, undefined, 'default docker.io/blobs/manifests'],
  ])('of %s with ns %s and host %s is %s', (name, ns, host, expected) => {
    expect(where(name, ns, host)).toBe(expected);
  });

  it('leads nowhere for an upstream that is not configured', () => {
    expect(() => where('org/app', 'evil.example')).toThrow(
      expect.objectContaining({ code: 'NAME_UNKNOWN', status: 404 }),
    );
    const closed = new RouteTable(entries, undefined);
    expect(() => closed.resolve({ name: 'org/app' })).toThrow(
      expect.objectContaining({ code: 'NAME_UNKNOWN' }),
    );
  });

  it('is denied by the operator before any upstream is asked', () => {
    expect(() => where('secret/app')).toThrow(expect.objectContaining({ status: 403 }));
  });

  it('is found in spite of the globs where it is to be known first who asks', () => {
    const route = table.find({ name: 'secret/app' });
    expect(route.key).toBe('docker.io/secret/app');
    expect(() => assertAllowed(route)).toThrow(expect.objectContaining({ status: 403 }));
  });

  it.each([
    ['alpine', ['docker.io/library/alpine', 'ghcr.io/alpine', 'registry.local:5000/alpine']],
    [
      'ghcr.io/org/app',
      ['docker.io/ghcr.io/org/app', 'ghcr.io/org/app', 'registry.local:5000/ghcr.io/org/app'],
    ],
    [
      'secret/app',
      ['docker.io/secret/app', 'ghcr.io/secret/app', 'registry.local:5000/secret/app'],
    ],
    ['..', []],
  ])('of %s may, by ns and host, be any of %j', (name, expected) => {
    const keys = new Set(table.meanings(name).map(({ key }) => key));
    expect([...keys].toSorted()).toEqual(expected);
  });

  it.each([
    '',
    '..',
    'a/../b',
    'a//b',
    'a/',
    '/a',
    'A',
    'a b',
    'a\0b',
    '_hosted/a',
    'ghcr.io/',
    'ghcr.io/..',
  ])('does not exist for the name %j', (name) => {
    expect(() => where(name)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  });
});

describe('a name that is hosted', () => {
  const hosting = new RouteTable(entries, 'docker.io', () => true);
  const whereHosted = (name: string, ns?: string, host?: string): string => {
    const { via, key } = hosting.resolve({ name, ns, host });
    return `${via} ${key}`;
  };

  it.each([
    ['myapp', 'hosted _hosted/myapp'],
    ['local/my/app', 'hosted _hosted/local/my/app'],
    ['not-configured.example/app', 'hosted _hosted/not-configured.example/app'],
  ])('%s lives here', (name, expected) => {
    expect(whereHosted(name)).toBe(expected);
  });

  it.each([
    ['library/alpine', undefined, undefined, 'default docker.io/library/alpine'],
    ['myapp', 'docker.io', undefined, 'ns docker.io/library/myapp'],
    ['local/app', 'ghcr.io', undefined, 'ns ghcr.io/local/app'],
    ['ghcr.io/local/app', undefined, undefined, 'prefix ghcr.io/local/app'],
    ['local/app', undefined, 'hub.mirror.local:5000', 'host docker.io/local/app'],
  ])('%s with ns %s and host %s never shadows an upstream', (name, ns, host, expected) => {
    expect(whereHosted(name, ns, host)).toBe(expected);
  });

  it('may be called library/ where that means nothing', () => {
    const alone = new RouteTable([], undefined, () => true);
    expect(alone.resolve({ name: 'library/app' }).key).toBe('_hosted/library/app');
  });

  it.each(['../app', 'UPPER', 'a//b', '_hosted/app', 'a/../b'])('is never %s', (name) => {
    expect(() => hosting.resolve({ name })).toThrow(
      expect.objectContaining({ code: 'NAME_INVALID' }),
    );
  });
});
