import { readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { beforeEach, expect, it } from '@jest/globals';
import { issueCertificate } from '../../src/lib/issue-certificate.ts';
import { Baleen, type Settings } from '../support/baleen.ts';
import { Skopeo } from '../support/clients/skopeo.ts';
import { command, tryCommand } from '../support/command.ts';
import { describeWith } from '../support/describe-with.ts';
import { seededImage } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { tempDir } from '../support/temp-dir.ts';
import {
  rotatedCertificate,
  rotatedKey,
  testCertificate,
  testKey,
} from '../upstream/tls-fixture.ts';

const day = 86_400_000;

await describeWith('TLS', ['openssl', 'curl', 'skopeo'], () => {
  const resources = testResources();
  let folder: string;
  let baleen: Baleen;
  const at = (name: string): string => join(folder, name);

  /** Writes `<name>.crt`, `<name>.key` and `<name>-ca.crt`. */
  const issue = async (name: string, hosts: readonly string[], days = 90): Promise<void> => {
    const now = Date.now();
    const validity = { validFrom: new Date(now - 100 * day), validTo: new Date(now + days * day) };
    const { authority, certificate, key } = await issueCertificate({ hosts, ...validity });
    await writeFile(at(`${name}.key`), key);
    await writeFile(at(`${name}.crt`), certificate);
    await writeFile(at(`${name}-ca.crt`), authority);
  };

  const start = async (tls: Settings = {}, others: Settings = {}): Promise<void> => {
    const server = { tls: { cert: at('tls.crt'), key: at('tls.key'), ...tls } };
    baleen = resources.use(await Baleen.prepare({ upstreams: {}, server, ...others }));
    const child = await baleen.spawn();
    await child.until('answers', async () => (await fetch(`${baleen.operationsUrl}/healthz`)).ok);
  };

  /** How curl fares with `GET /v2/`: the status, or its own exit code where there was none. */
  const curl = async (...args: readonly string[]): Promise<string> => {
    const how = ['--silent', '--noproxy', '*', '--cacert', at('tls-ca.crt'), '--output', at('out')];
    const url = `https://127.0.0.1:${String(baleen.port)}/v2/`;
    const got = await tryCommand('curl', [...how, '--write-out', '%{http_code}', ...args, url]);
    return got.code === 0 ? got.stdout : `exit ${String(got.code)}`;
  };

  const open = async (): Promise<TLSSocket> => {
    const socket = connect({ port: baleen.port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.on('error', () => undefined);
    resources.defer(() => void socket.destroy());
    await once(socket, 'secureConnect');
    return socket;
  };
  const shownName = async (): Promise<string> =>
    String((await open()).getPeerCertificate().subject.CN);

  const expiry = async (): Promise<number> =>
    Math.round((await baleen.metric('baleen_tls_certificate_expires_seconds')) / 86_400) -
    Math.round(Date.now() / day);

  beforeEach(async () => {
    folder = resources.use(tempDir('tls')).path;
    await issue('tls', ['127.0.0.1']);
  });

  it('serves curl and skopeo with what "baleen cert self-signed" has made', async () => {
    const upstream = resources.use(await ScriptedUpstream.start());
    const image = seededImage([100_000], 7);
    upstream.add('blue/whale', 'v1', image);
    baleen = resources.use(await Baleen.prepare({}));
    const made = await baleen.command(
      'cert',
      'self-signed',
      '--out',
      folder,
      '--host',
      '127.0.0.1',
      '--force',
    );
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const strictly = ['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_ip', '127.0.0.1'];
    await command('openssl', [...strictly, '-CAfile', at('ca.crt'), at('tls.crt')]);
    await start({}, { upstreams: { 'reef.example': { url: upstream.url } } });

    expect(await curl('--cacert', at('ca.crt'))).toBe('200');
    // Not without it: 60 is curl's "peer certificate cannot be authenticated".
    expect(await curl('--cacert', at('tls-ca.crt'))).toBe('exit 60');
    const skopeo = resources.use(await Skopeo.start(baleen.host));
    const certificates = at('certs.d');
    await command('mkdir', [certificates]);
    await command('cp', [at('ca.crt'), join(certificates, 'ca.crt')]);
    const name = `docker://${baleen.host}/reef.example/blue/whale:v1`;
    const copied = ['--quiet', '--src-cert-dir', certificates, name, `dir:${at('image')}`];
    await skopeo.skopeo('copy', ...copied);
    expect(await readFile(at('image/manifest.json'))).toEqual(image.manifest.bytes);
    await expect(skopeo.skopeo('copy', '--quiet', name, `dir:${at('other')}`)).rejects.toThrow(
      /certificate/,
    );
  });

  it('speaks HTTP/1.1 alone, and no TLS older than 1.2', async () => {
    await start();
    const speak = async (...args: readonly string[]): Promise<string> => {
      const address = `127.0.0.1:${String(baleen.port)}`;
      const how = ['s_client', '-connect', address, '-cipher', 'ALL:@SECLEVEL=0', ...args];
      const { stdout, stderr } = await tryCommand('sh', [
        '-c',
        'openssl "$@" </dev/null',
        'openssl',
        ...how,
      ]);
      return stdout + stderr;
    };
    expect(await speak('-tls1_1')).toMatch(/alert protocol version/);
    expect(await speak('-tls1_2', '-alpn', 'h2,http/1.1')).toMatch(/ALPN protocol: http\/1\.1/);
    expect(await speak('-tls1_3')).toMatch(/New, TLSv1\.3/);

    const server = { tls: { cert: at('tls.crt'), key: at('tls.key'), min_version: 'TLSv1.3' } };
    expect(await baleen.reload({ server })).toBe(true);
    expect(baleen.process.stdout).toContain('"changed":["server.tls.min_version"]');
    expect(await speak('-tls1_2')).toMatch(/alert protocol version/);
    expect(await speak('-tls1_3')).toMatch(/New, TLSv1\.3/);
  });

  it('lets in who has a certificate of the clients’ authority, and nobody else', async () => {
    await writeFile(at('me.crt'), testCertificate);
    await writeFile(at('me.key'), testKey);
    await writeFile(at('stranger.crt'), rotatedCertificate);
    await writeFile(at('stranger.key'), rotatedKey);
    await start({ client_ca: at('me.crt') });
    const withCertificate = (name: string): string[] => [
      '--cert',
      at(`${name}.crt`),
      '--key',
      at(`${name}.key`),
    ];
    expect(await curl(...withCertificate('me'))).toBe('200');
    expect(await curl(...withCertificate('stranger'))).toMatch(/^exit /);
    expect(await curl()).toMatch(/^exit /);
  });

  it('takes up a renewed certificate without a signal, while clients are connected', async () => {
    await start();
    const kept = await open();
    expect(await expiry()).toBe(90);
    await issue('tls', ['renewed.example'], 180);
    await baleen.process.until('shows it', async () => (await shownName()) === 'renewed.example');
    expect(await expiry()).toBe(180);
    expect(await baleen.metric('baleen_tls_certificate_last_reload_successful')).toBe(1);
    kept.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(kept, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('goes on with the old pair while the new one is broken, and says so', async () => {
    await start();
    const right = await readFile(at('tls.key'), 'utf8');
    await writeFile(at('tls.key'), right.slice(0, 100));
    const refused = async () =>
      (await baleen.metric('baleen_tls_certificate_last_reload_successful')) === 0;
    await baleen.process.until('refuses it', refused);
    expect(baleen.process.stdout).toMatch(
      /"level":"error".*still shown.*tls\.key holds no private key/,
    );
    expect(await curl()).toBe('200');
    await writeFile(at('tls.key'), right);
    await baleen.process.until('is content', async () => !(await refused()));
    expect(await curl()).toBe('200');
  });

  it('warns of a certificate that is about to expire', async () => {
    await issue('tls', ['127.0.0.1'], 10);
    await start();
    await baleen.process.until('warns', () => /expires soon/.test(baleen.process.stdout));
  });

  it('does not start with a pair that does not fit, and says why in a line', async () => {
    await issue('other', ['127.0.0.1']);
    const server = { tls: { cert: at('tls.crt'), key: at('other.key') } };
    baleen = resources.use(await Baleen.prepare({ upstreams: {}, server }));
    const child = await baleen.spawn();
    expect((await child.exited).code).toBe(1);
    expect(child.stderr).toMatch(
      /^baleen: the key in \S+other\.key does not belong to the certificate in \S+tls\.crt\n$/,
    );
  });
});
