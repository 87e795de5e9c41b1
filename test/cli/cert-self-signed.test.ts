import { Readable } from 'node:stream';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { runProgram } from '../../src/cli/program.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

describe('baleen cert self-signed', () => {
  const resources = testResources();
  let out: string;
  beforeEach(() => {
    out = join(resources.use(tempDir()).path, 'tls');
  });

  const run = async (...args: string[]) => {
    let stdout = '';
    let stderr = '';
    const status = await runProgram(['cert', 'self-signed', '--out', out, ...args], {
      actions: { serve: () => Promise.reject(new Error('nothing is to be served')) },
      // A configuration that names the files which are to be made.
      env: { BALEEN_SERVER_TLS_CERT: join(out, 'tls.crt') },
      version: '1',
      tty: false,
      stdin: Readable.from([]),
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
    });
    return { status, stdout, stderr };
  };
  const certificate = async (name = 'tls.crt') =>
    new X509Certificate(await readFile(join(out, name)));

  it('makes a certificate for this machine, with a key that nobody else can read', async () => {
    expect(await run()).toMatchObject({ status: 0, stderr: '' });
    const made = await certificate();
    expect(made.subjectAltName).toBe(
      `DNS:${hostname().toLowerCase()}, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1`,
    );
    expect(made.checkIssued(await certificate('ca.crt'))).toBe(true);
    expect(made.checkPrivateKey(createPrivateKey(await readFile(join(out, 'tls.key'))))).toBe(true);
    expect((await stat(join(out, 'tls.key'))).mode & 0o777).toBe(0o600);
    const days = (made.validToDate.getTime() - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(825);
    expect(made.validFromDate.getTime()).toBeLessThan(Date.now());
  });

  it('makes one for the names that are given, however they are given', async () => {
    await run(
      '--host',
      'Reg.example,10.0.0.5',
      '--host',
      '[fe80::1]',
      '*.bücher.example',
      '--days',
      '30',
    );
    const made = await certificate();
    expect(made.subjectAltName).toBe(
      'DNS:reg.example, IP Address:10.0.0.5, IP Address:FE80:0:0:0:0:0:0:1, DNS:*.xn--bcher-kva.example',
    );
    expect(Math.round((made.validToDate.getTime() - Date.now()) / 86_400_000)).toBe(30);
  });

  it('says where it goes, at Baleen and at each client', async () => {
    const { stdout } = await run('--host', '*.example,reg.example', '--listen', ':5443');
    for (const line of [
      `      cert: ${out}/tls.crt`,
      `      key: ${out}/tls.key`,
      '/etc/docker/certs.d/reg.example:5443/ca.crt',
      '/etc/containers/certs.d/reg.example:5443/ca.crt',
      '  server = "https://reg.example:5443"',
      '  [registry."reg.example:5443"]',
      '/usr/local/share/ca-certificates/baleen.crt',
      `curl --cacert ${out}/ca.crt https://reg.example:5443/v2/`,
    ]) {
      expect(stdout).toContain(line);
    }
    expect(stdout).not.toContain('PRIVATE KEY');
  });

  it.each(['ca.crt', 'tls.crt', 'tls.key'])(
    'overwrites no %s unless it is told to',
    async (name) => {
      await run();
      const before = await certificate();
      await writeFile(join(out, name), 'precious');
      const refused = await run();
      expect([refused.status, refused.stdout]).toEqual([1, '']);
      expect(refused.stderr).toMatch(/is there already; --force replaces it/);
      expect(await readFile(join(out, name), 'utf8')).toBe('precious');
      expect((await run('--force')).status).toBe(0);
      const after = await certificate();
      expect(after.serialNumber).not.toBe(before.serialNumber);
      expect(after.checkIssued(await certificate('ca.crt'))).toBe(true);
      expect((await stat(join(out, 'tls.key'))).mode & 0o777).toBe(0o600);
    },
  );

  it('leaves a key to those who could read the one before', async () => {
    await run();
    await chmod(join(out, 'tls.key'), 0o640);
    await run('--force');
    expect((await stat(join(out, 'tls.key'))).mode & 0o777).toBe(0o640);
  });

  it.each([
    ['--host', 'reg.example:5000'],
    ['--host', 'https://reg.example'],
    ['--host', 'fe80::1%eth0'],
    ['--host', 'a..b'],
    ['--host', ''],
    ['--days', '0'],
    ['--days', '1.5'],
    ['--days', 'ten'],
  ])('refuses %s %j', async (option, value) => {
    const { status, stderr } = await run(option, value);
    expect([status, stderr]).toEqual([2, expect.stringContaining('Expected a')]);
  });

  it('says in a line why nothing could be written', async () => {
    await writeFile(out, 'a file where the folder should be');
    const { status, stderr } = await run();
    expect(status).toBe(1);
    expect(stderr).toMatch(/^baleen: .*\n$/);
  });
});
