import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { redactQuery, redactText, redactValue } from '../../src/telemetry/redact.ts';

const secret = 'Zm9vOmJhcg-s3cret.value';

describe('text that is logged', () => {
  it.each([
    `Authorization: Bearer ${secret}`,
    `authorization=Basic ${secret}`,
    `the header was Bearer ${secret}, sent twice`,
    `"Proxy-Authorization": "Basic ${secret}"`,
    `GET https://user:${secret}@registry.example/v2/`,
    `redis://:${secret}@cache:6379/0 refused`,
    `https://${secret}@github.example/x`,
    `https://cdn.example/blob?X-Amz-Signature=${secret}&ns=x`,
    `https://cdn.example/blob?verify=${secret}`,
    `https://cdn.example/blob?${secret}`,
    `{"username":"u","password":"${secret}"}`,
    `{\\"access_token\\":\\"${secret}\\"}`,
    `password=${secret}&username=u`,
    `refresh_token: no; refresh_token=${secret}`,
    `client_secret=${secret}`,
    'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJZm9vOmJhcg-s3cret'.concat('.value-signature'),
    'dckr_pat_Zm9vOmJhcg-s3cret and ghp_Zm9vOmJhcgs3cret',
  ])('loses its secret: %s', (text) => {
    const clean = redactText(text);
    expect(clean).toContain('[redacted]');
    expect(clean).not.toMatch(/s3cret/);
  });

  it.each([
    'pulled docker.io/library/alpine:3.20 in 2 s',
    'the token expired; a new one is asked for',
    'Bearer realm="https://auth.example/token",service="x"',
    'GET https://registry.example/v2/a/tags/list?n=100&last=b&ns=docker.io',
    'connect ECONNREFUSED 10.0.0.1:443',
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'user@example.com has no access',
  ])('stays as it is without one: %s', (text) => {
    expect(redactText(text)).toBe(text);
  });

  it('keeps the harmless parameters of a query, and the names of the others', () => {
    expect(redactQuery('/v2/a/tags/list?ns=docker.io&token=x&n=1')).toBe(
      '/v2/a/tags/list?ns=docker.io&token=[redacted]&n=1',
    );
    expect(redactQuery('/v2/')).toBe('/v2/');
  });

  it('is redacted whatever it is', () => {
    const around = fc.string({ unit: 'grapheme' });
    fc.assert(
      fc.property(around, around, (before, after) => {
        expect(redactText(`${before} Authorization: Bearer ${secret}\n${after}`)).not.toContain(
          secret,
        );
        expect(redactText(`${before} https://u:${secret}@h/ ${after}`)).not.toContain(secret);
      }),
    );
  });
});

describe('values that are logged', () => {
  it('lose what stands under a telling name, however deep', () => {
    const value = {
      headers: { Authorization: secret, 'set-cookie': [secret], accept: '*/*' },
      options: [
        { password: secret, identityToken: secret, refresh_token: secret, clientSecret: secret },
      ],
      tokens: 3,
      tag_ttl: 5,
      password: undefined,
      hasToken: true,
    };
    const text = JSON.stringify(redactValue(value));
    expect(text).not.toContain(secret);
    expect(text).toContain('"accept":"*/*"');
    expect(text).toContain('"tokens":3');
    expect(text).toContain('"tag_ttl":5');
  });

  it('can always be written as JSON, and never grow without end', () => {
    const cycle: Record<string, unknown> = { n: 1n, f: () => {}, s: Symbol('x') };
    cycle['self'] = cycle;
    cycle['buffer'] = Buffer.alloc(1_000_000);
    cycle['long'] = 'x'.repeat(100_000);
    cycle['list'] = Array.from({ length: 10_000 }, () => 0);
    cycle['date'] = new Date(Number.NaN);
    cycle['url'] = new URL('https://u:p@h/?sig=1');
    expect(JSON.stringify(redactValue(cycle)).length).toBeLessThan(100_000);
    fc.assert(fc.property(fc.anything(), (value) => void JSON.stringify(redactValue(value))));
  });
});
