import { Readable } from 'node:stream';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runProgram } from '../../src/cli/program.ts';
import { readVersion } from '../../src/cli/version.ts';
import type { Config } from '../../src/config/config.ts';

let folder: string;
let good: string;
let bad: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-cli-'));
  good = join(folder, 'good.yaml');
  bad = join(folder, 'bad.yaml');
  writeFileSync(
    good,
    'server: { listen: ":7000" }\nupstreams:\n  a.example: { credentials: { username: u, password: hunter2 } }\n',
  );
  writeFileSync(bad, 'server: { listen: 7000 }\nlog: { level: hunter2 }\n');
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly served: Config[];
}

async function run(args: string[], env: Record<string, string> = {}): Promise<Run> {
  const served: Config[] = [];
  let stdout = '';
  let stderr = '';
  const status = await runProgram(args, {
    actions: {
      serve: (config) => {
        served.push(config);
        return Promise.resolve();
      },
    },
    env,
    version: '1.2.3',
    tty: false,
    stdin: Readable.from([]),
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
  });
  return { status, stdout, stderr, served };
}

describe('the command line', () => {
  it('serves without any argument, with the defaults', async () => {
    const { status, served } = await run([]);
    expect(status).toBe(0);
    expect(served).toHaveLength(1);
    expect(served[0]?.server.listen.port).toBe(5000);
  });

  it.each([
    ['alone', (file: string) => ['--config', file]],
    ['before the command', (file: string) => ['--config', file, 'serve']],
    ['after the command', (file: string) => ['serve', '--config', file]],
    ['with an equals sign', (file: string) => [`--config=${file}`, 'serve']],
    ['in short', (file: string) => ['-c', file]],
  ])('takes --config %s', async (_name, args) => {
    const { status, served } = await run(args(good));
    expect(status).toBe(0);
    expect(served[0]?.server.listen.port).toBe(7000);
  });

  it('takes the file that BALEEN_CONFIG names, unless there is --config', async () => {
    expect((await run([], { BALEEN_CONFIG: good })).served[0]?.server.listen.port).toBe(7000);
    expect((await run(['-c', good], { BALEEN_CONFIG: bad })).status).toBe(0);
  });

  it('lets its options win over the file and the environment', async () => {
    const args = ['--listen', '127.0.0.1:1', '-c', good, '--data', folder, '--log-level', 'debug'];
    const { served } = await run(args, { BALEEN_SERVER_LISTEN: ':2', BALEEN_LOG_LEVEL: 'warn' });
    expect(served[0]).toMatchObject({
      server: { listen: { host: '127.0.0.1', port: 1 } },
      storage: { directory: folder },
      log: { level: 'debug' },
    });
  });

  it.each([[['config', 'check', '-c']], [['-c']], [['config', 'print', '-c']]])(
    'answers faults of the file with status 2 and all of them, and starts nothing: %j',
    async (args) => {
      const { status, stdout, stderr, served } = await run([...args, bad]);
      expect(status).toBe(2);
      expect(served).toEqual([]);
      expect(stdout).toBe('');
      expect(stderr).toContain(
        `2 faults in the configuration\n  ${bad}:1:11 server.listen: expected`,
      );
      expect(stderr).toContain(`  ${bad}:2:8 log.level: expected one of`);
      expect(stderr).not.toContain('hunter2');
    },
  );

  it('checks a good file', async () => {
    const { status, stdout, served } = await run(['config', 'check', '--config', good]);
    expect([status, stdout, served]).toEqual([0, 'The configuration is good: 1 upstream.\n', []]);
  });

  it('looks into the files of a certificate, too, when it checks', async () => {
    const file = join(folder, 'tls.yaml');
    writeFileSync(file, `server: { tls: { cert: ${good}, key: ${good} } }\n`);
    const { status, stderr } = await run(['config', 'check', '--config', file]);
    expect(status).toBe(2);
    expect(stderr).toContain(`server.tls: ${good} holds no certificate`);
  });

  it('prints what is in effect, without secrets, and can read it again', async () => {
    const { status, stdout } = await run(['config', 'print', '--config', good, '--listen', ':9']);
    expect(status).toBe(0);
    expect(stdout).toContain('listen: :9\n');
    expect(stdout).not.toContain('hunter2');
    const printed = join(folder, 'printed.yaml');
    writeFileSync(printed, stdout);
    expect((await run(['config', 'print', '--config', printed])).stdout).toBe(stdout);
  });

  it.each([
    [['--nope'], /unknown option '--nope'/],
    [['serv'], /there is no command "serv" \(did you mean serve\?\)/],
    [['serve', 'x'], /there is no command "x"/],
    [['config'], /Usage: baleen config/],
    [['config', 'chek'], /unknown command 'chek'/],
    [['--config'], /argument missing/],
    [['--log-level', 'loud'], /Allowed choices are error, warn, info, debug/],
    [['--listen', 'nowhere'], /--listen server\.listen: expected an address and a port/],
    [['config', 'check', '--config', '/no/such'], /\/no\/such: there is no such file/],
  ])('answers misuse with status 2 and a reason: %j', async (args, reason) => {
    const { status, stdout, stderr, served } = await run(args);
    expect(status).toBe(2);
    expect(stderr).toMatch(reason);
    expect([stdout, served]).toEqual(['', []]);
  });

  it('prints its version and its help to standard output', async () => {
    expect(await run(['--version'])).toMatchObject({ status: 0, stdout: '1.2.3\n', stderr: '' });
    for (const args of [['--help'], ['help'], ['-h']]) {
      const { status, stdout, stderr } = await run(args);
      expect([status, stderr]).toEqual([0, '']);
      for (const word of [
        '--config',
        '--listen',
        '--data',
        '--log-level',
        'Examples:',
        'Exit status:',
        'BALEEN_CONFIG',
      ]) {
        expect(stdout).toContain(word);
      }
    }
    expect((await run(['config', 'check', '--help'])).stdout).toContain('--config <file>');
  });

  it('hands on what serving fails with', async () => {
    const failure = new Error('port in use');
    const context = {
      actions: { serve: () => Promise.reject(failure) },
      env: {},
      version: '0',
      tty: false,
      stdin: Readable.from([]),
      stdout: () => {},
      stderr: () => {},
    };
    await expect(runProgram([], context)).rejects.toBe(failure);
  });

  it('reads its version from package.json', () => {
    expect(readVersion()).toMatch(/^\d+\.\d+\.\d+/);
  });
});

const main = join(import.meta.dirname, '../../src/main.ts');

const start = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });

(existsSync(main) ? describe : describe.skip)('the command as a process', () => {
  it('checks and prints a configuration, and ends with the documented status', () => {
    expect(start('config', 'check', '--config', good)).toMatchObject({ status: 0, stderr: '' });
    expect(start('--version')).toMatchObject({ status: 0, stdout: `${readVersion()}\n` });
    const refused = start('--config', bad);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('2 faults in the configuration');
  });

  it('ends without a word where nobody reads what it prints', () => {
    // It has more to do once it has printed: time to hear of it.
    const line = [process.execPath, main, 'warm', 'nowhere.example/x', '--json'];
    const piped = spawnSync('sh', ['-c', '"$0" "$@" | exit 3', ...line], {
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        BALEEN_OPERATIONS_LISTEN: 'off',
        BALEEN_STORAGE_DIRECTORY: join(folder, 'data'),
      },
    });
    expect(piped).toMatchObject({ status: 3, stdout: '', stderr: '' });
  });
});
