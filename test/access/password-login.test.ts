import { describe, expect, it } from '@jest/globals';
import { FailureBackOff } from '../../src/access/failure-back-off.ts';
import type { HtpasswdAccount } from '../../src/access/htpasswd.ts';
import type { FailedLogin } from '../../src/access/observer.ts';
import { PasswordLogin } from '../../src/access/password-login.ts';
import { RegistryError } from '../../src/oci/errors.ts';

const dummy = 'the dummy';

/** Accounts whose "hash" is their password with a mark in front, and a clock that stands. */
function create() {
  const accounts = new Map<string, HtpasswdAccount>([
    ['alice', { hash: 'hash of secret', stamp: 'a' }],
  ]);
  const compared: string[] = [];
  const failed: FailedLogin[] = [];
  const clock = { now: 0 };
  let logins = 0;
  let answer = (password: string, hash: string): Promise<boolean> =>
    Promise.resolve(hash === `hash of ${password}`);
  const login = new PasswordLogin({
    accounts: { get: (name) => accounts.get(name), dummy },
    checks: {
      compare(password, hash) {
        compared.push(hash);
        return answer(password, hash);
      },
    },
    backOff: new FailureBackOff(
      { allowed: 3, firstWait: 1_000, longestWait: 60_000 },
      () => clock.now,
    ),
    observer: { loggedIn: () => logins++, loginFailed: (each) => void failed.push(each) },
  });
  return {
    accounts,
    compared,
    failed,
    clock,
    logins: () => logins,
    answerWith: (next: typeof answer) => (answer = next),
    attempt: async (username: string, password: string, client = 'here'): Promise<string> => {
      try {
        const account = await login.check({ username, password, client });
        return account.stamp;
      } catch (error) {
        return (error as RegistryError).code;
      }
    },
    check: (username: string, password: string) =>
      login.check({ username, password, client: 'here' }),
  };
}

describe('a login with a password', () => {
  it('is checked once, and known at once from then on', async () => {
    const { attempt, check, compared, logins, accounts } = create();
    expect(await attempt('alice', 'secret')).toBe('a');
    expect(check('alice', 'secret')).toBe(accounts.get('alice'));
    expect(compared).toEqual(['hash of secret']);
    expect(logins()).toBe(1);
  });

  it('is compared with a dummy where there is no such account, and refused in the same words', async () => {
    const { attempt, check, compared, failed } = create();
    expect(await attempt('mallory', 'secret')).toBe('UNAUTHORIZED');
    expect(await attempt('alice', 'wrong')).toBe('UNAUTHORIZED');
    expect(compared).toEqual([dummy, 'hash of secret']);
    expect(failed.map(({ reason }) => reason)).toEqual(['no such account', 'wrong password']);
    expect(() => check('mallory', 'secret')).toThrow('incorrect username or password');
    expect(() => check('alice', 'wrong')).toThrow('incorrect username or password');
  });

  it('is refused without an account even where a password fits the dummy', async () => {
    const { attempt, answerWith } = create();
    answerWith(() => Promise.resolve(true));
    expect(await attempt('mallory', 'secret')).toBe('UNAUTHORIZED');
    expect(await attempt('mallory', 'secret')).toBe('UNAUTHORIZED');
  });

  it('is one comparison for all who come with the same at the same time', async () => {
    const { attempt, compared } = create();
    const tries = Array.from({ length: 50 }, () => attempt('alice', 'secret'));
    expect(new Set(await Promise.all(tries))).toEqual(new Set(['a']));
    expect(compared).toHaveLength(1);
  });

  it('does not outlive the password, or the account', async () => {
    const { attempt, accounts } = create();
    await attempt('alice', 'secret');
    accounts.set('alice', { hash: 'hash of better', stamp: 'b' });
    expect(await attempt('alice', 'secret')).toBe('UNAUTHORIZED');
    expect(await attempt('alice', 'better')).toBe('b');
    accounts.delete('alice');
    expect(await attempt('alice', 'better')).toBe('UNAUTHORIZED');
  });

  it('is tried anew after it was wrong once the account has come or has another password', async () => {
    const { attempt, accounts } = create();
    expect(await attempt('bob', 'b')).toBe('UNAUTHORIZED');
    accounts.set('bob', { hash: 'hash of b', stamp: 'b' });
    expect(await attempt('bob', 'b')).toBe('b');
  });

  it('is not confused by where a name ends and a password begins', async () => {
    const { attempt, accounts } = create();
    accounts.set('a', { hash: 'hash of b:c', stamp: 'a' });
    accounts.set('a:b', { hash: 'hash of d', stamp: 'x' });
    expect(await attempt('a', 'b:c')).toBe('a');
    expect(await attempt('a:b', 'c')).toBe('UNAUTHORIZED');
  });

  it('has to wait after many different failures, and says so with Retry-After', async () => {
    const { attempt, check, clock, failed, compared } = create();
    for (const guess of ['1', '2', '3', '4']) await attempt('alice', guess);
    expect(await attempt('alice', '5')).toBe('TOOMANYREQUESTS');
    expect(failed.at(-1)).toMatchObject({ failure: 'throttled', account: 'alice', client: 'here' });
    expect(await attempt('alice', 'secret')).toBe('TOOMANYREQUESTS');
    expect(compared).toHaveLength(4);
    await expect(check('alice', '6')).rejects.toMatchObject({ retryAfter: 1 });
    expect(await attempt('alice', 'secret', 'elsewhere')).toBe('a');
    clock.now = 1_000;
    expect(await attempt('alice', 'secret')).toBe('a');
  });

  it('counts a thousand guesses at once for a thousand', async () => {
    const { attempt, compared } = create();
    const guesses = Array.from({ length: 1_000 }, (_, index) => attempt('alice', `${index}`));
    const codes = await Promise.all(guesses);
    expect(compared).toHaveLength(4);
    expect(codes.filter((code) => code === 'TOOMANYREQUESTS')).toHaveLength(996);
  });

  it('does not forget guesses over a flood of names that are not even looked at', async () => {
    const { attempt, answerWith } = create();
    for (const guess of ['1', '2', '3', '4']) await attempt('alice', guess);
    expect(await attempt('alice', '5')).toBe('TOOMANYREQUESTS');
    answerWith(() => {
      throw new RegistryError('UNAVAILABLE', 'too many');
    });
    for (let name = 0; name < 10_001; name++) await attempt(`nobody-${name}`, 'x');
    expect(await attempt('alice', '6')).toBe('TOOMANYREQUESTS');
  });

  it('stays possible for who is known already while somebody guesses beside him', async () => {
    const { attempt } = create();
    await attempt('alice', 'secret');
    for (let guess = 0; guess < 20; guess++) await attempt('alice', `${guess}`);
    expect(await attempt('alice', 'secret')).toBe('a');
  });

  it('costs nothing and counts for nothing where it is as wrong as before', async () => {
    const { attempt, compared } = create();
    for (let tries = 0; tries < 20; tries++) {
      expect(await attempt('alice', 'old')).toBe('UNAUTHORIZED');
    }
    expect(compared).toHaveLength(1);
    expect(await attempt('alice', 'secret')).toBe('a');
  });

  it('is no verdict where it could not be checked', async () => {
    const { attempt, answerWith, failed } = create();
    answerWith(() => {
      throw new RegistryError('UNAVAILABLE', 'too many');
    });
    expect(await attempt('alice', 'secret')).toBe('UNAVAILABLE');
    expect(failed).toMatchObject([{ failure: 'unavailable' }]);
    answerWith(() => Promise.resolve(true));
    expect(await attempt('alice', 'secret')).toBe('a');
  });
});
