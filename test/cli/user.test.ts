import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { compareSync } from 'bcryptjs';
import type { Input } from '../../src/cli/context.ts';
import { runProgram } from '../../src/cli/program.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-user-'));
  file = join(folder, 'htpasswd');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function run(args: string[], stdin: Input = Readable.from([])) {
  let stdout = '';
  let stderr = '';
  const status = await runProgram(args, {
    actions: { serve: () => Promise.reject(new Error('not to be served')) },
    env: {},
    version: '1.2.3',
    tty: false,
    stdin,
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
  });
  return { status, stdout, stderr };
}

const user = (args: string[], password?: string) =>
  password === undefined
    ? run(['user', ...args, '--file', file])
    : run(['user', ...args, '--file', file, '--password-stdin'], Readable.from([password]));

/** A terminal on which these keys are typed as soon as somebody listens. */
function terminal(...keys: string[]) {
  const modes: boolean[] = [];
  const stream = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => void modes.push(isRaw),
  });
  for (const each of keys) stream.write(each);
  return { stream, modes };
}

const hashOf = (name: string): string =>
  new RegExp(`^${name}:(.*)$`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? '';

describe('baleen user', () => {
  it('adds an account, and makes the file for nobody else’s eyes', async () => {
    expect(await user(['add', 'alice'], 'secret\n')).toEqual({
      status: 0,
      stdout: 'Added alice.\n',
      stderr: '',
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(hashOf('alice')).toMatch(/^\$2b\$10\$/);
    expect(compareSync('secret', hashOf('alice'))).toBe(true);
  });

  it('takes a password as it is, but for one line break', async () => {
    await user(['add', 'alice'], ' pass word \r\n');
    expect(compareSync(' pass word ', hashOf('alice'))).toBe(true);
  });

  it('changes a password and leaves all else as it is: lines, permissions, the link', async () => {
    const target = join(folder, 'target');
    writeFileSync(target, '# the team\nalice:old\n\nbob:older\n');
    chmodSync(target, 0o640);
    symlinkSync(target, file);
    expect((await user(['passwd', 'alice'], 'better')).status).toBe(0);
    const text = readFileSync(target, 'utf8');
    expect(text.replace(/\$2b.*/, 'HASH')).toBe('# the team\nalice:HASH\n\nbob:older\n');
    expect(statSync(target).mode & 0o777).toBe(0o640);
    expect((await user(['remove', 'bob'])).stdout).toBe('Removed bob.\n');
    expect((await user(['list'])).stdout).toBe('alice\n');
  });

  it('says what it cannot do, and changes nothing', async () => {
    await user(['add', 'alice'], 'secret');
    const before = readFileSync(file, 'utf8');
    for (const [args, password, message] of [
      [['add', 'alice'], 'x', 'alice is there already: baleen user passwd alice'],
      [['passwd', 'bob'], 'x', 'there is no account bob'],
      [['remove', 'bob'], undefined, 'there is no account bob'],
      [['add', 'a:b'], 'x', 'a name has no colon'],
      [['add', 'anonymous'], 'x', 'anonymous stands for everybody'],
      [['add', 'bob'], '', 'the password is empty'],
      [['add', 'bob'], 'two\nlines', 'a password is one line'],
      [['add', 'bob'], 'ä'.repeat(37), 'at most 72 bytes'],
      [['add', 'bob'], 'x'.repeat(5_000), 'the password is too long'],
      [['add', 'bob'], undefined, 'no terminal to ask for the password: --password-stdin'],
    ] as const) {
      const { status, stderr } = await user([...args], password);
      expect({ args, status, stderr }).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(message) as unknown,
      });
    }
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('asks twice on a terminal, shows nothing, and gives the terminal back', async () => {
    const { stream, modes } = terminal('sex\u007Fcret', '\r', 'wrong\u0015secret\r');
    const { status, stderr, stdout } = await run(['user', 'add', 'alice', '--file', file], stream);
    expect(status).toBe(0);
    expect(stderr + stdout).not.toContain('secret');
    expect(stderr).toBe('Password: \nOnce more: \n');
    expect(compareSync('secret', hashOf('alice'))).toBe(true);
    expect(modes).toEqual([true, false]);
  });

  it.each([
    ['two that are not the same', ['secret\rsecrets\r'], 'not the same; nothing is changed'],
    ['Ctrl-C', ['secr\u0003'], 'broken off; nothing is changed'],
    ['Ctrl-D', ['\u0004'], 'broken off; nothing is changed'],
  ])('does nothing after %s', async (_what, keys, message) => {
    const { stream, modes } = terminal(...keys);
    const { status, stderr } = await run(['user', 'add', 'alice', '--file', file], stream);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(modes.at(-1)).toBe(false);
    expect(() => statSync(file)).toThrow('ENOENT');
  });

  it('works on the file that the configuration names, also before it is there', async () => {
    const config = join(folder, 'config.yaml');
    writeFileSync(config, `auth: { htpasswd: ${file} }\n`);
    const args = ['user', 'add', 'alice', '--password-stdin', '--config', config];
    expect((await run(args, Readable.from(['secret']))).status).toBe(0);
    expect((await run(['user', 'list', '--config', config])).stdout).toBe('alice\n');
    expect(await run(['user', 'list'])).toMatchObject({
      status: 1,
      stderr: 'baleen: the configuration names no auth.htpasswd: give --config or --file\n',
    });
  });
});

describe('baleen config check', () => {
  it('looks into the file of accounts, too', async () => {
    const config = join(folder, 'config.yaml');
    writeFileSync(config, `auth: { htpasswd: ${file} }\n`);
    const check = () => run(['config', 'check', '--config', config]);
    expect((await check()).stderr).toContain('there is no such file; baleen user add makes it');
    writeFileSync(file, 'alice:{SHA}abc\n');
    expect(await check()).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('line 1: alice has no bcrypt hash') as unknown,
    });
    await user(['passwd', 'alice'], 'secret');
    expect(await check()).toMatchObject({ status: 0 });
  });
});
