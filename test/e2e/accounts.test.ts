import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { beforeEach, expect, it } from '@jest/globals';
import { Baleen, type Settings } from '../support/baleen.ts';
import { Containerd } from '../support/clients/containerd.ts';
import { Dockerd } from '../support/clients/dockerd.ts';
import { Podman } from '../support/clients/podman.ts';
import { command, tryCommand, type CommandResult } from '../support/command.ts';
import { describeWith } from '../support/describe-with.ts';
import { send, type Answer } from '../support/http-send.ts';
import { testResources } from '../support/resources.ts';
import { runnableImage } from '../support/runnable-image.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const main = join(import.meta.dirname, '../../src/main.ts');
const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

await describeWith(
  'accounts',
  ['dockerd', 'docker', 'containerd', 'podman', 'busybox', 'curl', 'openssl'],
  () => {
    const resources = testResources();
    let folder: string;
    let baleen: Baleen;
    const at = (name: string): string => join(folder, name);

    beforeEach(async () => {
      folder = resources.use(tempDir('accounts')).path;
      baleen = resources.use(await Baleen.prepare({}));
    });

    /** `baleen user …`, with a password on its standard input. */
    const user = async (args: readonly string[], password = ''): Promise<CommandResult> => {
      const line = [process.execPath, main, 'user', ...args, '--file', at('htpasswd')];
      const given = args[0] === 'remove' ? [] : ['--password-stdin'];
      const script = 'password="$1"; shift; printf %s "$password" | "$@"';
      return tryCommand('sh', ['-c', script, 'sh', password, ...line, ...given]);
    };

    const start = async (settings: Settings = {}, account = 'alice'): Promise<void> => {
      expect(await user(['add', account], 'first secret')).toMatchObject({ code: 0 });
      baleen.configure({
        upstreams: {},
        hosted: { repositories: ['local/**'] },
        auth: { htpasswd: at('htpasswd') },
        ...settings,
      });
      await baleen.start();
    };

    const ping = async (authorization?: string): Promise<number> => {
      const headers = authorization === undefined ? {} : { authorization };
      return (await send('GET', `${baleen.url}/v2/`, { headers })).status;
    };
    const tokenFor = async (pair: string, query = ''): Promise<string> => {
      const how = { headers: { authorization: basic(pair) } };
      const answer: Answer = await send('GET', `${baleen.url}/auth/token?${query}`, how);
      return String((JSON.parse(answer.body.toString()) as { token?: unknown }).token);
    };

    it('leave a mirror open to clients that know nothing of them, as far as anonymous may', async () => {
      const upstream = resources.use(await ScriptedUpstream.start());
      const image = runnableImage(3);
      upstream.add('library/runnable', '1.0', image);
      upstream.add('secret/app', '1.0', image);
      await start({
        upstreams: { 'docker.io': { url: upstream.url } },
        default_upstream: 'docker.io',
        access: [
          { accounts: ['anonymous'], repositories: ['docker.io/library/*'], actions: ['pull'] },
        ],
      });
      const dockerd = resources.use(await Dockerd.start(baleen.url));
      expect(await dockerd.pull('runnable', ':1.0')).toBe(image.manifest.digest);
      // It offers mirrors what it knows of Docker Hub.
      await dockerd.remember('https://index.docker.io/v1/', 'hubuser', 'of Docker Hub');
      expect(await dockerd.pull('runnable', ':1.0')).toBe(image.manifest.digest);
      expect(await baleen.metric('baleen_logins_total', 'password', 'wrong')).toBeGreaterThan(0);
      expect(await baleen.metric('baleen_tokens_issued_total', 'anonymous')).toBeGreaterThan(0);
      const containerd = resources.use(await Containerd.start(baleen.url));
      expect(await containerd.pull('library/runnable', ':1.0')).toBe(image.manifest.digest);
      await expect(containerd.pull('secret/app', ':1.0')).rejects.toThrow();
      const mirror = `{ location = "${baleen.host}/docker.io", insecure = true }`;
      const registries = `[[registry]]\nlocation = "docker.io"\nmirror = [${mirror}]\n`;
      const podman = resources.use(await Podman.start(registries));
      expect(await podman.pull('library/runnable', ':1.0')).toContain(image.manifest.digest);
      for (const kind of ['manifest-head', 'manifest-get'] as const) {
        expect(upstream.count(kind, 'secret/app')).toBe(0);
      }
    });

    it('let docker log in with the right password, and with no other', async () => {
      await start();
      const dockerd = resources.use(await Dockerd.start());
      const login = async (password: string): Promise<CommandResult> =>
        dockerd.tryDocker('login', '-u', 'alice', '-p', password, baleen.host);
      const wrong = await login('wrong');
      expect(wrong.code).not.toBe(0);
      expect(wrong.stderr).toContain('incorrect username or password');
      expect(await login('first secret')).toMatchObject({ code: 0 });
      expect(await dockerd.docker('logout', baleen.host)).toContain('Removing login credentials');
    });

    it('follow their file, which baleen user writes, without a restart', async () => {
      await start();
      const token = await tokenFor('alice:first secret');
      expect(await ping(`Bearer ${token}`)).toBe(200);
      expect(await user(['add', 'bob'], 'of bob')).toMatchObject({ code: 0 });
      await waitFor('bob', async () => (await ping(basic('bob:of bob'))) === 200);
      expect(await user(['passwd', 'alice'], 'second secret')).toMatchObject({ code: 0 });
      await waitFor('the password', async () => (await ping(basic('alice:second secret'))) === 200);
      expect(await ping(basic('alice:first secret'))).toBe(401);
      expect(await ping(`Bearer ${token}`)).toBe(401);
      const next = await tokenFor('alice:second secret');
      expect(await user(['remove', 'alice'])).toMatchObject({ code: 0 });
      await waitFor('the end', async () => (await ping(basic('alice:second secret'))) === 401);
      expect(await ping(`Bearer ${next}`)).toBe(401);
    });

    it('keep their tokens over a restart, also over one by SIGKILL', async () => {
      await start();
      const token = await tokenFor('alice:first secret');
      await baleen.kill();
      await baleen.start();
      expect(await ping(`Bearer ${token}`)).toBe(200);
    });

    it('never appear in the log with a password or a token', async () => {
      await start();
      const token = await tokenFor('alice:first secret', 'scope=repository:local/app:pull');
      await ping(`Bearer ${token}`);
      await ping(`Bearer ${token}x`);
      await ping(basic('alice:guessed'));
      const form = Buffer.from('grant_type=password&username=alice&password=in+a+form');
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      await send('POST', `${baleen.url}/auth/token`, { headers, body: form });
      await send('GET', `${baleen.url}/v2/?password=guessed&access_token=${token}`);
      await waitFor('the log', () => baleen.process.stdout.includes('a login failed'));
      await baleen.stop();
      const log = baleen.process.stdout + baleen.process.stderr;
      expect(log).toContain('"account":"alice"');
      for (const secret of ['first secret', 'guessed', 'in+a+form', 'in a form', 'eyJ', '$2b$']) {
        expect(log).not.toContain(secret);
      }
      for (const part of token.split('.')) expect(log).not.toContain(part);
    });

    it('keep the service from starting where their file is missing or has another kind of hash', async () => {
      baleen.configure({ auth: { htpasswd: at('missing') } });
      const missing = await baleen.spawn();
      expect(await missing.exited).toMatchObject({ code: 1 });
      expect(missing.stderr).toContain('there is no such file; baleen user add makes it');
      await writeFile(at('missing'), 'alice:$apr1$abcdefgh$0123456789012345678901\n');
      const wrong = await baleen.spawn();
      expect(await wrong.exited).toMatchObject({ code: 1 });
      expect(wrong.stderr).toContain('line 1: alice has no bcrypt hash');
      expect(wrong.stderr).not.toContain('$apr1$');
    });

    it('stay closed when the configuration that is read again has none, or none that can be used', async () => {
      await start();
      expect(await baleen.reload({ auth: { htpasswd: at('missing') } })).toBe(false);
      expect(await ping()).toBe(401);
      expect(await baleen.reload({ auth: undefined })).toBe(true);
      expect(await ping()).toBe(401);
      expect(await ping(basic('alice:first secret'))).toBe(200);
      expect(baleen.process.stdout).toContain('need a restart');
    });

    it('may be those of certificates, beside others', async () => {
      const issue = async (name: string, ...signer: readonly string[]): Promise<void> => {
        const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
        const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)];
        const subject = ['-subj', `/CN=${name}`, '-days', '2'];
        await command('openssl', ['req', '-x509', ...key, ...files, ...subject, ...signer]);
      };
      const signedBy = (ca: string): string[] => [
        '-CA',
        at(`${ca}.crt`),
        '-CAkey',
        at(`${ca}.key`),
      ];
      for (const ca of ['ours', 'theirs']) await issue(ca);
      await issue('carol', ...signedBy('ours'));
      await issue('mallory', ...signedBy('theirs'));
      const made = await baleen.command('cert', 'self-signed', '--out', folder);
      expect(made).toMatchObject({ code: 0 });
      const tls = { cert: at('tls.crt'), key: at('tls.key'), client_ca: at('ours.crt') };
      await start({
        server: { tls },
        auth: { htpasswd: at('htpasswd'), certificates: 'common_name' },
        access: [{ accounts: ['carol'], repositories: ['**'], actions: ['admin'] }],
      });
      const curl = async (...args: readonly string[]): Promise<string> => {
        const how = ['--silent', '--noproxy', '*', '--insecure', '--output', at('out')];
        const url = `${baleen.url}/v2/local/app/tags/list`;
        return command('curl', [...how, '--write-out', '%{http_code}', ...args, url]);
      };
      const as = (name: string): string[] => [
        '--cert',
        at(`${name}.crt`),
        '--key',
        at(`${name}.key`),
      ];
      // There is nothing yet; who may not know hears of something else.
      expect(await curl(...as('carol'))).toBe('404');
      expect(await curl()).toBe('401');
      expect(await curl(...as('mallory'))).toBe('401');
      expect(await curl('--user', 'alice:first secret')).toBe('403');
      expect(await curl(...as('carol'), '--user', 'alice:first secret')).toBe('403');

      // A session that is taken up again is as good as its beginning, and no better.
      const twice = async (name?: string): Promise<[statuses: number[], isReused: boolean]> => {
        const pair =
          name === undefined
            ? {}
            : { cert: await readFile(at(`${name}.crt`)), key: await readFile(at(`${name}.key`)) };
        const agent = new Agent({ ...pair, rejectUnauthorized: false, maxCachedSessions: 10 });
        const statuses: number[] = [];
        let isReused = false;
        for (let tries = 0; tries < 2; tries++) {
          const asked = request(`${baleen.url}/v2/local/app/tags/list`, { agent }).end();
          const [answer] = (await once(asked, 'response')) as [IncomingMessage];
          isReused = (answer.socket as TLSSocket).isSessionReused();
          statuses.push(answer.statusCode ?? 0);
          await once(answer.resume(), 'close');
        }
        agent.destroy();
        return [statuses, isReused];
      };
      expect(await twice('carol')).toEqual([[404, 404], true]);
      expect(await twice('mallory')).toEqual([[401, 401], true]);
      expect(await twice()).toEqual([[401, 401], true]);
    });

    it('get their passwords from a terminal, which shows nothing of them', async () => {
      const line = `${process.execPath} ${main} user add alice --file ${at('htpasswd')}`;
      const args = ['--quiet', '--return', '--command', line, '/dev/null'];
      const terminal = spawn('script', args, { stdio: ['pipe', 'pipe', 'inherit'] });
      const ended = once(terminal, 'close');
      let shown = '';
      terminal.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
      for (const question of ['Password: ', 'Once more: ']) {
        await waitFor(question, () => shown.includes(question));
        terminal.stdin.write('on a terminal\r');
      }
      expect(await ended).toEqual([0, null]);
      expect(shown).not.toContain('on a terminal');
      expect(shown).toContain('Added alice.');
      await start({ auth: { htpasswd: at('htpasswd') } }, 'bob');
      expect(await ping(basic('alice:on a terminal'))).toBe(200);
    });
  },
  { root: true },
);
