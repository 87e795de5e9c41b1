import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  accountNameFault,
  accountsOf,
  HtpasswdFault,
  parseHtpasswd,
  withAccount,
  withoutAccount,
} from '../../src/access/htpasswd-file.ts';

const salt = 'abcdefghijklmnopqrstuv0123456789012345678901234567890';
const hash = `$2y$10$${salt}`;

describe('a file of accounts', () => {
  it('has a name and a bcrypt hash a line, comments and empty lines between', () => {
    const text = `# the team\n\nalice:${hash}\r\n  bob:$2b$05$${salt}  \ncarol:$2a$12$${salt}:ignored\n`;
    expect([...parseHtpasswd(text)]).toEqual([
      ['alice', hash],
      ['bob', `$2b$05$${salt}`],
      ['carol', `$2a$12$${salt}`],
    ]);
    expect(parseHtpasswd('').size).toBe(0);
  });

  it.each([
    ['apache’s MD5', 'alice:$apr1$abcdefgh$0123456789012345678901', 'alice has no bcrypt hash'],
    ['SHA-1', 'alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', 'alice has no bcrypt hash'],
    ['crypt', 'alice:rl.3StKT.4T8M', 'alice has no bcrypt hash'],
    ['SHA-512', 'alice:$6$salt$abc', 'alice has no bcrypt hash'],
    ['a password as it is', 'alice:hunter2', 'alice has no bcrypt hash'],
    ['bcrypt of the broken kind', `alice:$2x$10$${salt}`, 'alice has no bcrypt hash'],
    ['a hash that was cut off', `alice:${hash.slice(0, -1)}`, 'alice has no bcrypt hash'],
    ['a cost that takes minutes', `alice:$2b$20$${salt}`, 'a hash of cost 20'],
    ['no hash at all', 'alice', 'this is no name:hash'],
    ['no name', `:${hash}`, 'an account needs a name'],
    ['the name of those who have none', `anonymous:${hash}`, 'anonymous stands for everybody'],
    ['a name twice', `alice:${hash}\nalice:${hash}`, 'line 2: alice is there twice'],
    ['a name with a blank', `al ice:${hash}`, 'no space'],
    ['a name with a control character', `al\u0007ice:${hash}`, 'nothing invisible'],
  ])('is refused with %s', (_what, text, message) => {
    expect(() => parseHtpasswd(text)).toThrow(HtpasswdFault);
    expect(() => parseHtpasswd(text)).toThrow(message);
  });

  it('is refused with every wrong line, and none of their hashes', () => {
    const text = `a:secretpassword\nb:${hash}\nc:{SHA}secret\n`;
    const message = /^line 1: a has .*; line 3: c has [^;]*$/;
    expect(() => parseHtpasswd(text)).toThrow(message);
    expect(() => parseHtpasswd(text)).not.toThrow(/secret/);
  });

  it('keeps its comments and its order when one line is changed, added or removed', () => {
    const text = `# first\nalice:old\n\n# then\nbob:${hash}\n`;
    const changed = withAccount(text, { account: 'alice', hash });
    expect(changed).toBe(`# first\nalice:${hash}\n\n# then\nbob:${hash}\n`);
    expect(withAccount(text, { account: 'carol', hash })).toBe(`${text}carol:${hash}\n`);
    expect(withoutAccount(text, 'alice')).toBe(`# first\n\n# then\nbob:${hash}\n`);
    expect(accountsOf(changed)).toEqual(['alice', 'bob']);
  });

  it('gets a line of its own for a new account where the last line has no end', () => {
    expect(withAccount(`alice:${hash}`, { account: 'bob', hash })).toBe(
      `alice:${hash}\nbob:${hash}\n`,
    );
  });

  it('holds an account that was put in, and not one that was taken out, whatever else is in it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, name) => {
        fc.pre(accountNameFault(name) === undefined);
        const added = withAccount(text, { account: name, hash });
        expect(accountsOf(added)).toContain(name);
        expect(accountsOf(withoutAccount(added, name))).not.toContain(name);
      }),
    );
  });
});
