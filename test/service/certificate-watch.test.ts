import { writeFileSync } from 'node:fs';
import { chmod, mkdir, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { issueCertificate } from '../../src/lib/issue-certificate.ts';
import { readCertificate, type Certificate } from '../../src/service/certificate.ts';
import { watchCertificate } from '../../src/service/certificate-watch.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const day = 86_400_000;
const validFrom = new Date('2026-01-01T00:00:00Z');
const issue = (host: string, days = 90) =>
  issueCertificate({
    hosts: [host],
    validFrom,
    validTo: new Date(validFrom.getTime() + days * day),
  });

describe('a certificate that is watched', () => {
  const resources = testResources();
  let folder: string;
  let said: [level: string, message: string, fields: object | undefined][];
  let reloads: boolean[];
  let expires: () => number;
  let now: number;
  let shown: Certificate;
  let reads: number;

  const write = async (name: string, days?: number, into = folder): Promise<void> => {
    const { certificate, key } = await issue(name, days);
    // At once: looks come every few milliseconds here, and would find a half of it.
    writeFileSync(join(into, 'tls.crt'), certificate);
    writeFileSync(join(into, 'tls.key'), key);
  };
  const heard = (level: string): string[] =>
    said.filter(([at]) => at === level).map(([, message]) => message);
  const logger = Object.fromEntries(
    ['info', 'warn', 'error'].map((level) => [
      level,
      (message: string, fields?: object) => void said.push([level, message, fields]),
    ]),
  ) as unknown as Parameters<typeof watchCertificate>[0]['logger'];

  /** Watches what is in the folder, which has to be fit for use. */
  const watch = (): void => {
    const tls = () => ({
      cert: join(folder, 'tls.crt'),
      key: join(folder, 'tls.key'),
      min_version: 'TLSv1.2' as const,
    });
    shown = readCertificate(tls());
    reads = 0;
    const controller = new AbortController();
    const watched = watchCertificate(
      {
        servers: {
          get certificate() {
            return shown;
          },
          get certificateFiles() {
            return [tls().cert, tls().key];
          },
          renewCertificate() {
            reads++;
            shown = readCertificate(tls());
          },
        },
        logger,
        metrics: {
          observeCertificate: (read) => (expires = read),
          certificateReloaded: (succeeded) => void reloads.push(succeeded),
        },
        interval: 5,
        now: () => now,
      },
      controller.signal,
    );
    resources.defer(async () => {
      controller.abort();
      await watched;
    });
  };

  beforeEach(async () => {
    folder = resources.use(tempDir()).path;
    said = [];
    reloads = [];
    now = validFrom.getTime() + day;
    await write('old.example');
  });

  it('is replaced by the one that takes its place in the files', async () => {
    watch();
    await write('new.example', 60);
    await waitFor('the new one', () => shown.names === 'DNS:new.example');
    await waitFor('a word about it', () => heard('info').length === 2);
    expect(heard('info')[1]).toMatch(/was renewed/);
    expect(expires()).toBe(validFrom.getTime() + 60 * day);
    expect(reloads).not.toContain(false);
  });

  it('is replaced where a mounted secret is swapped by a link further up', async () => {
    const mount = folder;
    for (const name of ['one', 'two']) {
      await mkdir(join(mount, name));
      await write(`${name}.example`, 90, join(mount, name));
    }
    await symlink('one', join(mount, 'current'));
    folder = join(mount, 'current');
    watch();
    await symlink('two', join(mount, 'next'));
    await rename(join(mount, 'next'), join(mount, 'current'));
    await waitFor('the new one', () => shown.names === 'DNS:two.example');
  });

  it('stays while what is new cannot be used, which is said once and loudly', async () => {
    const { certificate } = await issue('new.example');
    watch();
    await waitFor('the first look', () => reads);
    writeFileSync(join(folder, 'tls.crt'), certificate);
    await waitFor('the refusal', () => reloads.includes(false));
    expect(shown.names).toBe('DNS:old.example');
    expect(heard('error')).toEqual([
      'the new certificate cannot be used; the old one is still shown',
    ]);
    const before = reads;
    await write('right.example');
    await waitFor('the right one', () => shown.names === 'DNS:right.example');
    expect(reloads.at(-1)).toBe(true);
    expect(heard('error')).toHaveLength(1);
    expect(reads).toBeGreaterThan(before);
  });

  it('is read again when it is only its permissions that change', async () => {
    watch();
    const before = await waitFor('the first look', () => reads);
    await chmod(join(folder, 'tls.key'), 0o640);
    await waitFor('another look', () => reads > before);
  });

  it('that expires is told of once a day, and no more once there is another', async () => {
    now = validFrom.getTime() + 80 * day;
    watch();
    await waitFor('a warning', () => heard('warn').length === 1);
    now += 0.5 * day;
    // Each look at the files is a chance to say it again.
    await waitFor('another look', () => reloads.length === 1);
    expect(heard('warn')).toHaveLength(1);
    now += 0.5 * day;
    await waitFor('a reminder', () => heard('warn').length === 2);
    now = validFrom.getTime() + 90 * day;
    await waitFor('worse', () => heard('error').length === 1);
    expect(heard('error')[0]).toMatch(/has expired/);
    await write('new.example', 365);
    await waitFor('the new one', () => shown.names === 'DNS:new.example');
    now += 100 * day;
    await write('newer.example', 365);
    await waitFor('the newer one', () => shown.names === 'DNS:newer.example');
    expect([heard('warn').length, heard('error').length]).toEqual([2, 1]);
  });

  it('that does not hold yet is told of', async () => {
    now = validFrom.getTime() - day;
    watch();
    await waitFor('an error', () => heard('error').length === 1);
    expect(heard('error')[0]).toMatch(/not valid yet/);
  });
});
