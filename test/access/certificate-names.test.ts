import { describe, expect, it } from '@jest/globals';
import { accountOfCertificate } from '../../src/access/certificate-account.ts';
import { namesInCertificate } from '../../src/access/certificate-names.ts';

const names = (subjectaltname: string, CN?: string | string[]) =>
  namesInCertificate({ subjectaltname, subject: { CN } });

describe('the names in a certificate', () => {
  it('are its subject’s and its alternative ones, each of its own kind', () => {
    expect(
      names('DNS:a.example, email:a@b.example, URI:spiffe://c/d, IP Address:10.0.0.1', 'alice'),
    ).toEqual({
      commonName: 'alice',
      emails: ['a@b.example'],
      dnsNames: ['a.example'],
      uris: ['spiffe://c/d'],
    });
    expect(names('', 'alice')).toMatchObject({ commonName: 'alice', dnsNames: [] });
    expect(namesInCertificate({}).commonName).toBeUndefined();
  });

  it('cannot be made up within one another', () => {
    expect(names('URI:"http://a/, DNS:admin", DNS:b')).toMatchObject({
      dnsNames: ['b'],
      uris: ['http://a/, DNS:admin'],
    });
    expect(names('email:"a\\u002c email:b@c", DNS:d').emails).toEqual(['a, email:b@c']);
  });

  it.each(['DNS:a, b', 'DNS:"a', 'DNS:a,DNS:b', 'no colon', 'DNS:a"b', 'DNS:"a"x, DNS:b'])(
    'are none where they are not in the form that is known: %s',
    (text) => {
      expect(names(text).dnsNames).toEqual([]);
    },
  );

  it('are an account where there is just one of the kind', () => {
    const certificate = names('DNS:a, DNS:b, URI:spiffe://c/d', 'alice');
    expect(accountOfCertificate(certificate, 'common_name')).toBe('alice');
    expect(accountOfCertificate(certificate, 'uri')).toBe('spiffe://c/d');
    expect(accountOfCertificate(certificate, 'dns')).toBeUndefined();
    expect(accountOfCertificate(certificate, 'email')).toBeUndefined();
    for (const name of ['anonymous', '', 'a\u0000b', 'x'.repeat(256)]) {
      expect(accountOfCertificate(names('', name), 'common_name')).toBeUndefined();
    }
    expect(accountOfCertificate(names('', ['alice', 'admin']), 'common_name')).toBeUndefined();
  });
});
