import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { explainStartFailure } from '../../src/cli/start-failure.ts';
import type { TlsConfig } from '../../src/config/config.ts';
import { issueCertificate } from '../../src/lib/issue-certificate.ts';
import { CertificateError, readCertificate, stateOf } from '../../src/service/certificate.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

const day = 86_400_000;
const validFrom = new Date('2026-01-01T00:00:00Z');
const validTo = new Date('2026-04-01T00:00:00Z');
const issued = await issueCertificate({ hosts: ['registry.example'], validFrom, validTo });
const other = await issueCertificate({ hosts: ['other.example'], validFrom, validTo });

describe('the files of a certificate', () => {
  const resources = testResources();
  let tls: TlsConfig;
  beforeEach(async () => {
    const { path } = resources.use(tempDir());
    const files = { cert: join(path, 'tls.crt'), key: join(path, 'tls.key') };
    tls = { ...files, client_ca: join(path, 'ca.crt'), min_version: 'TLSv1.2' };
    await writeFile(tls.cert, issued.certificate + issued.authority);
    await writeFile(tls.key, issued.key);
    await writeFile(join(path, 'ca.crt'), other.authority);
  });

  it('tell of the first one, which is the server’s own', () => {
    expect(readCertificate(tls)).toMatchObject({
      validFrom: validFrom.getTime(),
      validTo: validTo.getTime(),
      names: 'DNS:registry.example',
      options: { minVersion: 'TLSv1.2' },
    });
  });

  const encrypted = (type: 'pkcs8' | 'sec1'): string =>
    generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' },
    }).privateKey;

  it.each([
    [
      'the key is another one’s',
      'key',
      other.key,
      /^the key in \S+tls\.key does not belong to the certificate in \S+tls\.crt$/,
    ],
    ['the key is encrypted', 'key', encrypted('pkcs8'), /tls\.key is encrypted.*openssl pkey -in/],
    ['the key is encrypted as of old', 'key', encrypted('sec1'), /tls\.key is encrypted/],
    [
      'the key is a certificate',
      'key',
      issued.certificate,
      /holds no private key .*it holds a cert/,
    ],
    ['the key is cut short', 'key', issued.key.slice(0, 90), /tls\.key holds no private key/],
    ['the certificate is a key', 'cert', issued.key, /holds no certificate .*it holds a key/],
    ['the certificate is empty', 'cert', '', /tls\.crt holds no certificate \(server\.tls\.cert/],
    [
      'the clients’ authority is none',
      'client_ca',
      'nobody',
      /ca\.crt holds no certificate \(server\.tls\.client_ca/,
    ],
  ] as const)('are refused with the reason where %s', async (_what, which, text, reason) => {
    await writeFile(tls[which] ?? '', text);
    const failure = (() => {
      try {
        return readCertificate(tls);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(CertificateError);
    // One line, without a stack: it is no fault of the program.
    const told = explainStartFailure(failure);
    expect(told).toMatch(reason);
    expect(told).not.toMatch(/\n|hunter2|-----/);
  });

  it('are refused where one cannot be read', () => {
    expect(() => readCertificate({ ...tls, key: `${tls.key}.missing` })).toThrow(
      /tls\.key\.missing cannot be read \(ENOENT\)/,
    );
  });
});

describe('a certificate of 90 days', () => {
  const certificate = { validFrom: validFrom.getTime(), validTo: validTo.getTime() };

  it.each([
    [-1, 'not yet valid'],
    [0, 'valid'],
    [75 * day, 'valid'],
    [76 * day, 'expires soon'],
    [90 * day - 1, 'expires soon'],
    [90 * day, 'expired'],
  ])('is, %d ms after its beginning, %s', (age, state) => {
    expect(stateOf(certificate, certificate.validFrom + age)).toBe(state);
  });
});

it('a certificate of a day expires soon in the last fifth of it', () => {
  const certificate = { validFrom: 0, validTo: day };
  expect(stateOf(certificate, 0.79 * day)).toBe('valid');
  expect(stateOf(certificate, 0.81 * day)).toBe('expires soon');
});
