import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import picomatch from 'picomatch';
import type { Action } from '../../src/access/action.ts';
import { anonymous, type Caller } from '../../src/access/caller.ts';
import { AccessRules, defaultRules, type AccessRule } from '../../src/access/rules.ts';

const actions: readonly Action[] = ['pull', 'push', 'delete', 'admin'];

function caller(account: string, ...groups: string[]): Caller {
  return { account, groups, scope: undefined };
}

function rule(given: Partial<AccessRule>): AccessRule {
  return { accounts: [], groups: [], repositories: ['**'], actions: ['pull'], ...given };
}

/** What somebody may do, in the order of `actions`. */
function allowed(rules: readonly AccessRule[], who: Caller, repository: string): Action[] {
  const compiled = new AccessRules(rules);
  return actions.filter((action) => compiled.permits(who, repository, action));
}

describe('access rules', () => {
  const alice = caller('alice');

  it.each<[string, Partial<AccessRule>, Caller, boolean]>([
    ['the account that is named', { accounts: ['alice'] }, alice, true],
    ['no other account', { accounts: ['bob'] }, alice, false],
    ['an account of another case', { accounts: ['Alice'] }, alice, false],
    ['who is in a group', { groups: ['devs'] }, caller('bob', 'ops', 'devs'), true],
    ['who is in no such group', { groups: ['devs'] }, caller('devs', 'ops'), false],
    ['an account that is called like a group', { groups: ['alice'] }, alice, false],
    ['everybody who has logged in, by *', { accounts: ['*'] }, alice, true],
    ['strangers, by anonymous', { accounts: ['anonymous'] }, anonymous, true],
    ['accounts, too, by anonymous', { accounts: ['anonymous'] }, alice, true],
    ['strangers, by *', { accounts: ['*'] }, anonymous, false],
    [
      'strangers, by the groups that they claim',
      { groups: ['devs'] },
      { ...anonymous, groups: ['devs'] },
      false,
    ],
    ['anybody, where they name nobody', {}, alice, false],
  ])('are about %s: %j', (_who, given, who, expected) => {
    expect(allowed([rule(given)], who, 'app')).toEqual(expected ? ['pull'] : []);
  });

  it.each<[string, string, boolean]>([
    ['app', 'app', true],
    ['*', 'app', true],
    ['*', 'team/app', false],
    ['*', 'docker.io/library/alpine', false],
    ['**', 'docker.io/library/alpine', true],
    ['team/*', 'team/app', true],
    ['team/*', 'team/app/base', false],
    ['team/**', 'team/app/base', true],
    ['team/**', 'teams/app', false],
    ['team/**', 'docker.io/team/app', false],
    ['docker.io/library/*', 'docker.io/library/alpine', true],
    ['ghcr.io/{acme,corp}/**', 'ghcr.io/corp/app', true],
    ['ghcr.io/**', 'ghcr.io.evil/app', false],
    ['localhost:5000/**', 'localhost:5000/app', true],
  ])('with %s fit %s: %s', (glob, repository, expected) => {
    const rules = [rule({ accounts: ['alice'], repositories: ['never', glob] })];
    expect(allowed(rules, alice, repository)).toEqual(expected ? ['pull'] : []);
  });

  it('add up, and admin is all there is', () => {
    const rules = [
      rule({ accounts: ['anonymous'], repositories: ['public/**'] }),
      rule({ accounts: ['alice'], repositories: ['public/*'], actions: ['push'] }),
      rule({ groups: ['ops'], actions: ['admin'] }),
    ];
    expect(allowed(rules, anonymous, 'public/app')).toEqual(['pull']);
    expect(allowed(rules, alice, 'public/app')).toEqual(['pull', 'push']);
    expect(allowed(rules, alice, 'private/app')).toEqual([]);
    expect(allowed(rules, caller('olga', 'ops'), 'private/app')).toEqual(actions);
  });

  it('do not make an administrator of who may do each thing', () => {
    const rules = [rule({ accounts: ['alice'], actions: ['pull', 'push', 'delete'] })];
    expect(allowed(rules, alice, 'app')).toEqual(['pull', 'push', 'delete']);
  });

  it('let every account do everything where none are given, and strangers nothing', () => {
    expect(allowed(defaultRules, alice, 'app')).toEqual(['pull', 'push', 'delete']);
    expect(allowed(defaultRules, anonymous, 'app')).toEqual([]);
  });

  it('allow nobody anything where there are none', () => {
    expect(allowed([], alice, 'app')).toEqual([]);
    expect(new AccessRules([]).permitsAnywhere(alice, 'pull')).toBe(false);
  });

  it('tell whether there is any use in asking', () => {
    const rules = new AccessRules([rule({ accounts: ['alice'], actions: ['push'] })]);
    expect(rules.permitsAnywhere(alice, 'push')).toBe(true);
    expect(rules.permitsAnywhere(alice, 'pull')).toBe(false);
    expect(rules.permitsAnywhere(anonymous, 'push')).toBe(false);
  });

  it('decide the same in any order, remembered or not, one by one or all at once', () => {
    const names = ['a', 'b', 'team/a', 'docker.io/library/a', 'docker.io/team/b'];
    const globs = ['*', '**', 'team/*', 'docker.io/**', 'docker.io/library/*', 'b'];
    const some = <T>(items: readonly T[]) => fc.subarray([...items]);
    const rules = fc.array(
      fc.record<AccessRule>({
        accounts: some(['alice', 'bob', '*', 'anonymous']),
        groups: some(['devs', 'ops']),
        repositories: fc.subarray(globs, { minLength: 1 }),
        actions: fc.subarray([...actions], { minLength: 1 }),
      }),
      { maxLength: 6 },
    );
    const callers = [
      anonymous,
      caller('alice'),
      caller('bob', 'devs'),
      caller('carol', 'devs', 'ops'),
      caller('dave'),
    ];
    /** The rules as a person reads them, one at a time. */
    const may = (given: readonly AccessRule[], who: Caller, name: string, action: Action) =>
      given.some((each) => {
        const isLoggedIn = who.account !== 'anonymous';
        const isMeant =
          each.accounts.includes('anonymous') ||
          (isLoggedIn &&
            (each.accounts.includes('*') ||
              each.accounts.includes(who.account) ||
              who.groups.some((group) => each.groups.includes(group))));
        const isThere = each.repositories.some((glob) => picomatch.isMatch(name, glob));
        const isAllowed = each.actions.includes(action) || each.actions.includes('admin');
        return isMeant && isThere && isAllowed;
      });
    fc.assert(
      fc.property(rules, (given) => {
        const forwards = new AccessRules(given);
        const backwards = new AccessRules(given.toReversed());
        for (const action of actions) {
          for (const who of callers) {
            const expected = names.filter((name) => may(given, who, name, action));
            for (const compiled of [forwards, backwards, forwards]) {
              const found = names.filter((name) => compiled.permits({ ...who }, name, action));
              expect(found).toEqual(expected);
            }
            expect(forwards.filter(who, names, action, (name) => name)).toEqual(expected);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('say nothing of what is in no repository', () => {
    const rules = new AccessRules([rule({ accounts: ['alice'] })]);
    expect(
      rules.filter(alice, ['a', 'b'], 'pull', (name) => (name === 'a' ? name : undefined)),
    ).toEqual(['a']);
  });
});
