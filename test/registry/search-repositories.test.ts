import { describe, expect, it } from '@jest/globals';
import { searchRepositories } from '../../src/registry/search-repositories.ts';

const names = [
  'app',
  'ghcr.io/alpine-tools/shell',
  'ghcr.io/org/alpine',
  'library/alpine',
  'library/postgres',
  'local/app',
  'local/app-server',
  'local/webapp',
];

describe('a search', () => {
  it.each([
    ['app', ['app', 'local/app', 'local/app-server', 'local/webapp']],
    ['alpine', ['ghcr.io/org/alpine', 'library/alpine', 'ghcr.io/alpine-tools/shell']],
    ['library/alpine', ['library/alpine']],
    ['local/', ['local/app', 'local/app-server', 'local/webapp']],
    ['  Postgres ', ['library/postgres']],
    ['ghcr.io', ['ghcr.io/alpine-tools/shell', 'ghcr.io/org/alpine']],
    ['nothing', []],
    ['.*', []],
    ['', names],
  ])('for %j finds what is called so, then what begins so, then the rest', (term, found) => {
    expect(searchRepositories(names, term)).toEqual(found);
  });
});
