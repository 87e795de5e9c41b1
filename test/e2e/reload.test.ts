import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  rotatedCertificate,
  rotatedKey,
  testCertificate,
  testKey,
} from '../upstream/tls-fixture.ts';
import { Baleen, type Settings } from '../support/baleen.ts';
import { get, startGet, type Getting } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const MiB = 1024 * 1024;

describe('SIGHUP, in the middle of a slow download', () => {
  const resources = testResources();
  const image = seededImage([8 * MiB], 61);
  const layer = image.blobs.at(-1)!;
  let reef: ScriptedUpstream;
  let other: ScriptedUpstream;
  let baleen: Baleen;
  let transfer: Getting;
  let goOn: () => void;

  const upstream = (url: string, more: Settings = {}): Settings => ({
    url,
    timeouts: { idle: '1m' },
    tag_ttl: '1h',
    negative_ttl: '0s',
    ...more,
  });
  const path = `v2/reef.example/blue/whale`;

  beforeEach(async () => {
    reef = resources.use(await ScriptedUpstream.start());
    other = resources.use(await ScriptedUpstream.start());
    for (const each of [reef, other]) each.add('blue/whale', 'v1', image);
    baleen = resources.use(
      await Baleen.start({ upstreams: { 'reef.example': upstream(reef.url) } }),
    );
    const { promise: until, resolve } = Promise.withResolvers<void>();
    goOn = resolve;
    reef.fault({ on: 'blob-get', times: 1, holdAt: { bytes: 6 * MiB, until } });
    transfer = startGet(`${baleen.url}/${path}/blobs/${layer.digest}`);
    await waitFor('most of the blob to have come', () => transfer.received() > 4 * MiB);
  });

  /** Lets the download go on, which must end well, and has to be the only one. */
  const finish = async (): Promise<void> => {
    goOn();
    expect(await transfer.outcome).toMatchObject({ complete: true, digest: layer.digest });
    expect(reef.count('blob-get', layer.digest)).toBe(1);
    expect(other.count('blob-get', layer.digest)).toBe(0);
  };

  const tag = async () => get(`${baleen.url}/${path}/manifests/v1`);

  it('changes how long a tag is believed', async () => {
    await tag();
    await tag();
    expect(reef.count('manifest-head')).toBe(0);
    const changed = { 'reef.example': upstream(reef.url, { tag_ttl: '0s' }) };
    expect(await baleen.reload({ upstreams: changed })).toBe(true);
    expect(baleen.process.stdout).toContain('"changed":["upstreams.reef.example.tag_ttl"]');
    expect((await tag()).headers['cache-status']).toContain('REVALIDATED');
    expect(reef.count('manifest-head')).toBe(1);
    // The upstream is the one that it was: another client joins the download.
    const second = startGet(`${baleen.url}/${path}/blobs/${layer.digest}`);
    await waitFor('the second client to follow', () => second.received() > 4 * MiB);
    await finish();
    expect(await second.outcome).toMatchObject({ complete: true, digest: layer.digest });
    expect(reef.count('blob-head')).toBe(0);
  });

  it('adds an upstream, and takes one away', async () => {
    expect((await get(`${baleen.url}/v2/deep.example/blue/whale/manifests/v1`)).status).toBe(404);
    expect(await baleen.reload({ upstreams: { 'deep.example': upstream(other.url) } })).toBe(true);
    const added = await get(`${baleen.url}/v2/deep.example/blue/whale/manifests/v1`);
    expect([added.status, added.digest]).toEqual([200, image.manifest.digest]);
    expect((await tag()).status).toBe(404);
    await finish();
  });

  it('sends an upstream’s new questions elsewhere', async () => {
    const moved = { 'reef.example': upstream(other.url) };
    expect(await baleen.reload({ upstreams: moved })).toBe(true);
    expect((await tag()).digest).toBe(image.manifest.digest);
    expect([reef.count('manifest-get'), other.count('manifest-get')]).toEqual([0, 1]);
    await finish();
  });

  it('leaves all as it was where the file is broken, and says every fault', async () => {
    const good = await readFile(baleen.configFile, 'utf8');
    await writeFile(
      baleen.configFile,
      `${good.replace(reef.url, other.url)}\nsever: {}\ndefault_upstream: nowhere\n`,
    );
    expect(await baleen.reread()).toBe(false);
    expect(baleen.process.stdout).toMatch(/"level":"error".*sever/);
    expect(baleen.process.stdout).toMatch(/"level":"error".*default_upstream/);
    expect(await baleen.metric('baleen_config_reloads_total', 'refused')).toBe(1);
    expect((await tag()).status).toBe(200);
    expect(other.total).toBe(0);
    await writeFile(baleen.configFile, good);
    expect(await baleen.reread()).toBe(true);
    await finish();
  });

  it('goes offline, and back', async () => {
    await tag();
    expect(await baleen.reload({ offline: true })).toBe(true);
    reef.forget();
    expect((await tag()).status).toBe(200);
    const missing = await get(`${baleen.url}/v2/reef.example/blue/whale/manifests/v2`);
    expect([missing.status, missing.text]).toEqual([
      404,
      expect.stringContaining('baleen warm reef.example/blue/whale:v2'),
    ]);
    expect(missing.headers['cache-status']).toBe('baleen; detail=UPSTREAM_OFFLINE');
    expect(reef.total).toBe(0);
    expect(await baleen.reload({ offline: false })).toBe(true);
    await get(`${baleen.url}/v2/reef.example/blue/whale/manifests/v2`);
    expect(reef.total).toBeGreaterThan(0);
    goOn();
    expect(await transfer.outcome).toMatchObject({ complete: true, digest: layer.digest });
  });

  it('says what needs a restart, and leaves it', async () => {
    const storage = { directory: join(baleen.dataDirectory, '../elsewhere'), max_size: '1GiB' };
    expect(await baleen.reload({ storage })).toBe(true);
    expect(baleen.process.stdout).toMatch(/need a restart","keys":\["storage.directory"/);
    await finish();
  });

  it('changes what is logged', async () => {
    const isLogged = (mark: string) => baleen.process.stdout.includes(`"path":"/v2/?n=${mark}"`);
    const ask = async (mark: string) => get(`${baleen.url}/v2/?n=${mark}`);
    await ask('first');
    await waitFor('the access log', () => isLogged('first'));
    expect(await baleen.reload({ log: { access: false, level: 'info' } })).toBe(true);
    await ask('second');
    expect(await baleen.reload({ log: { access: true, level: 'debug' } })).toBe(true);
    await ask('third');
    await waitFor('the access log again', () => isLogged('third'));
    expect(isLogged('second')).toBe(false);
    await finish();
  });
});

describe('SIGHUP, with certificates', () => {
  const resources = testResources();

  it('shows a new one to new connections, and refuses one that does not fit its key', async () => {
    const { path } = resources.use(tempDir());
    const [cert, key] = [join(path, 'tls.crt'), join(path, 'tls.key')];
    await writeFile(cert, testCertificate);
    await writeFile(key, testKey);
    const baleen = resources.use(
      await Baleen.prepare({ upstreams: {}, server: { tls: { cert, key } } }),
    );
    const child = await baleen.spawn();
    await child.until('answers', async () => (await fetch(`${baleen.operationsUrl}/healthz`)).ok);
    const open = async (): Promise<TLSSocket> => {
      const socket = connect({ port: baleen.port, host: '127.0.0.1', rejectUnauthorized: false });
      socket.on('error', () => undefined);
      resources.defer(() => void socket.destroy());
      await once(socket, 'secureConnect');
      return socket;
    };
    const name = async (): Promise<string> => {
      const { subject }: PeerCertificate = (await open()).getPeerCertificate();
      return String(subject.CN);
    };
    const kept = await open();
    expect(await name()).toBe('baleen test');

    await writeFile(cert, rotatedCertificate);
    expect(await baleen.reread()).toBe(false);
    expect(await name()).toBe('baleen test');
    expect(child.stdout).toMatch(
      /"level":"error".*not reloaded.*does not belong to the certificate/,
    );

    await writeFile(key, rotatedKey);
    expect(await baleen.reread()).toBe(true);
    expect(await name()).toBe('rotated.example');
    kept.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(kept, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
  });
});
