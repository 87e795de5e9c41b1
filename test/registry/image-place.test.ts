import { expect, it } from '@jest/globals';
import { placeOf } from '../../src/registry/image-place.ts';

const names = {
  upstreams: new Map([
    ['docker.io', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['ghcr.io', 'ghcr.io'],
  ]),
  defaultUpstream: 'docker.io',
  isHosted: (name: string) =>
    name.startsWith('local/') || name === 'quay.io/own/app' || name === 'library/own',
};

it.each([
  ['docker.io/library/nginx', 'cached', 'docker.io/library/nginx'],
  ['index.docker.io/nginx', 'cached', 'docker.io/library/nginx'],
  ['nginx', 'cached', 'docker.io/library/nginx'],
  ['org/app', 'cached', 'docker.io/org/app'],
  ['ghcr.io/org/app', 'cached', 'ghcr.io/org/app'],
  ['local/app', 'hosted', '_hosted/local/app'],
  ['quay.io/own/app', 'hosted', '_hosted/quay.io/own/app'],
  ['library/own', 'cached', 'docker.io/library/own'],
])('keeps %s with what is %s', (name, part, key) => {
  expect(placeOf(name, names)).toMatchObject({ part, key });
});

it.each([
  ['quay.io/org/app', /no "quay\.io" among the upstreams/],
  ['localhost:5000/app', /no "localhost:5000" among the upstreams/],
  ['localhost/app', /no "localhost" among the upstreams/],
])('has no place for %s, and says why', (name, message) => {
  expect(() => placeOf(name, names)).toThrow(message);
});

it('has no place for a bare name where there is no default', () => {
  const without = { ...names, defaultUpstream: undefined, isHosted: undefined };
  expect(() => placeOf('nginx', without)).toThrow(/default_upstream/);
});
