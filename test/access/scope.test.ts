import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatScope, parseScope, readAccessClaim, scopeAllows } from '../../src/access/scope.ts';
import { isRegistryError } from '../../src/oci/errors.ts';

describe('a scope', () => {
  it.each([
    ['repository:library/alpine:pull', 'repository', 'library/alpine', ['pull']],
    ['repository:team/app:pull,push', 'repository', 'team/app', ['pull', 'push']],
    ['repository:localhost:5000/app:pull', 'repository', 'localhost:5000/app', ['pull']],
    ['repository:app:*', 'repository', 'app', ['*']],
    ['repository:app:pull,pull', 'repository', 'app', ['pull']],
    ['registry:catalog:*', 'registry', 'catalog', ['*']],
    ['repository(plugin):org/plugin:pull', 'repository(plugin)', 'org/plugin', ['pull']],
  ])('is read: %s', (text, type, name, actions) => {
    expect(parseScope([text])).toEqual([{ type, name, actions }]);
  });

  it('may come several times, or several in one text', () => {
    const both = [
      { type: 'repository', name: 'a', actions: ['pull'] },
      { type: 'repository', name: 'b', actions: ['push'] },
    ];
    expect(parseScope(['repository:a:pull', 'repository:b:push'])).toEqual(both);
    expect(parseScope(['repository:a:pull repository:b:push', ''])).toEqual(both);
  });

  it.each([
    'repository',
    'repository:',
    'repository:a',
    'repository:a:',
    ':a:pull',
    'repository::pull',
  ])('is refused where it is none: %s', (text) => {
    expect(() => parseScope([text])).toThrow('type:name:action');
  });

  it('is refused where there are thousands', () => {
    expect(() => parseScope(['repository:a:pull '.repeat(5_000)])).toThrow('too many');
  });

  it('is refused where it has more actions than there are', () => {
    const actions = Array.from({ length: 21 }, (_, index) => 'a'.repeat(index + 1));
    expect(parseScope([`repository:a:${actions.slice(1).join(',')}`])).toHaveLength(1);
    expect(() => parseScope([`repository:a:${actions.join(',')}`])).toThrow('too many');
    expect(parseScope([`repository:a:${'pull,'.repeat(50)}push`])).toMatchObject([
      { actions: ['pull', 'push'] },
    ]);
  });

  it('is written as it is read, and never fails in another way', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (texts) => {
        try {
          const scope = parseScope(texts);
          expect(parseScope([formatScope(scope)])).toEqual(scope);
        } catch (error) {
          expect(isRegistryError(error, 'REQUEST_INVALID')).toBe(true);
        }
      }),
    );
  });

  it('allows what one of its entries names, and nothing near it', () => {
    const scope = parseScope(['repository:team/app:pull', 'repository:mine:*']);
    expect(scopeAllows(scope, 'repository', 'team/app', 'pull')).toBe(true);
    expect(scopeAllows(scope, 'repository', 'mine', 'delete')).toBe(true);
    expect(scopeAllows(scope, 'repository', 'team/app', 'push')).toBe(false);
    expect(scopeAllows(scope, 'repository', 'team/app2', 'pull')).toBe(false);
    expect(scopeAllows(scope, 'repository', 'team', 'pull')).toBe(false);
    expect(scopeAllows(scope, 'registry', 'team/app', 'pull')).toBe(false);
    expect(scopeAllows([], 'repository', 'mine', 'pull')).toBe(false);
  });
});

describe('an access claim', () => {
  it('is a list of entries', () => {
    const claim = [{ type: 'repository', name: 'a', actions: ['pull'], class: 'image' }];
    expect(readAccessClaim(claim)).toEqual([{ type: 'repository', name: 'a', actions: ['pull'] }]);
    expect(readAccessClaim([])).toEqual([]);
  });

  it.each([
    undefined,
    null,
    'repository:a:pull',
    {},
    [null],
    ['repository:a:pull'],
    [{ type: 'repository', name: 'a' }],
    [{ type: 'repository', name: 'a', actions: 'pull' }],
    [{ type: 'repository', name: 'a', actions: [1] }],
    [{ type: 1, name: 'a', actions: [] }],
  ])('is none where it has another form: %j', (claim) => {
    expect(readAccessClaim(claim)).toBeUndefined();
  });
});
