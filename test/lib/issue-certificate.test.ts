import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { issueCertificate } from '../../src/lib/issue-certificate.ts';

const hour = 3_600_000;
const validFrom = new Date('2026-11-21T12:00:00Z');
const validTo = new Date(validFrom.getTime() + 825 * 24 * hour);

/** Read by OpenSSL, which knows nothing of how it was written. */
async function issue(...hosts: string[]) {
  const { authority, certificate, key } = await issueCertificate({ hosts, validFrom, validTo });
  return {
    authority: new X509Certificate(authority),
    certificate: new X509Certificate(certificate),
    key: createPrivateKey(key),
  };
}

const { authority, certificate, key } = await issue('registry.example', '10.0.0.5', '::1');

describe('a certificate', () => {
  it('is signed by its authority, and belongs to its key', () => {
    expect(certificate.checkIssued(authority)).toBe(true);
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(authority.verify(authority.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(key)).toBe(true);
    expect(authority.checkPrivateKey(key)).toBe(false);
    expect([authority.ca, certificate.ca]).toEqual([true, false]);
  });

  it('is for servers, of the names and addresses that were given and no others', () => {
    expect(certificate.subject).toBe('CN=registry.example');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(certificate.checkHost('registry.example')).toBe('registry.example');
    expect(certificate.checkHost('other.example')).toBeUndefined();
    expect(certificate.checkIP('10.0.0.5')).toBe('10.0.0.5');
    expect(certificate.checkIP('::1')).toBe('::1');
    expect(certificate.checkIP('10.0.0.6')).toBeUndefined();
  });

  it('is good for as long as was asked', () => {
    expect(certificate.validFromDate).toEqual(validFrom);
    expect(certificate.validToDate).toEqual(validTo);
    expect(authority.validToDate).toEqual(validTo);
  });

  it('has an authority of another name each time, so that a store can hold several', async () => {
    const other = await issue('registry.example');
    expect(other.authority.subject).not.toBe(authority.subject);
    expect(certificate.checkIssued(other.authority)).toBe(false);
  });

  it('takes a first name that is longer than a subject may be', async () => {
    const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`;
    expect((await issue(long)).certificate.checkHost(long)).toBe(long);
  });

  it('holds any address, however it is written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.ipV4(), fc.ipV6()), async (address) => {
        fc.pre(isIP(address) !== 0);
        expect((await issue(address)).certificate.checkIP(address)).toBe(address);
      }),
      { numRuns: 50 },
    );
  });
});
