import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { judgeRealm } from '../../src/upstream/realm.ts';

const judge = (realm: string, registry: string, trusted: string[] = []): string =>
  judgeRealm(new URL(realm), new URL(registry), trusted);

describe('judgeRealm', () => {
  it.each([
    ['https://auth.docker.io/token', 'https://registry-1.docker.io'],
    ['https://ghcr.io/token', 'https://ghcr.io'],
    ['https://quay.io/v2/auth', 'https://quay.io'],
    ['https://gitlab.com/jwt/auth', 'https://registry.gitlab.com'],
    ['https://nvcr.io/proxy_auth', 'https://nvcr.io'],
    ['https://authn.nvidia.com/token', 'https://nvcr.io'],
    ['https://us.gcr.io/v2/token', 'https://us.gcr.io'],
    ['https://reef.azurecr.io/oauth2/token', 'https://reef.azurecr.io'],
    ['https://gitlab.example.co.uk/jwt/auth', 'https://registry.example.co.uk'],
    ['https://127.0.0.1:5001/token', 'https://127.0.0.1:5000'],
    ['http://127.0.0.1:5001/token', 'http://127.0.0.1:5000'],
    ['http://[::1]:5001/token', 'http://[::1]:5000'],
    ['https://localhost:1/token', 'http://localhost:5000'],
    ['https://registry/token', 'https://registry:5000'],
  ])('trusts %s for %s', (realm, registry) => {
    expect(judge(realm, registry)).toBe('trusted');
  });

  it.each([
    ['https://evil.example/token', 'https://registry-1.docker.io'],
    ['https://docker.io.evil.example/token', 'https://registry-1.docker.io'],
    ['https://evildocker.io/token', 'https://registry-1.docker.io'],
    ['https://evil.azurecr.io/oauth2/token', 'https://reef.azurecr.io'],
    [
      'https://999999999999.dkr.ecr.eu-west-1.amazonaws.com/',
      'https://111111111111.dkr.ecr.eu-west-1.amazonaws.com',
    ],
    ['https://evil.dkr.ecr.cn-north-1.amazonaws.com.cn/', 'https://good.amazonaws.com.cn'],
    ['https://evil.github.io/token', 'https://reef.github.io'],
    ['https://evil.co.uk/token', 'https://example.co.uk'],
    ['https://evil.com.au/token', 'https://example.com.au'],
    ['https://evil.cloudapp.azure.com/token', 'https://reef.cloudapp.azure.com'],
    ['https://127.0.0.2/token', 'https://127.0.0.1'],
    ['https://10.1.0.1/token', 'https://10.2.0.1'],
    ['https://[2001:db8::1]/token', 'https://[2001:db8::2]'],
    ['https://auth/token', 'https://registry'],
    ['https://b.default.svc.cluster.local/', 'https://a.default.svc.cluster.local'],
    ['https://docker.io/token', 'https://io'],
  ])('treats %s as foreign to %s', (realm, registry) => {
    expect(judge(realm, registry)).toBe('foreign');
  });

  it.each([
    ['http://auth.docker.io/token', 'https://registry-1.docker.io'],
    ['http://ghcr.io/token', 'https://ghcr.io'],
    ['ftp://ghcr.io/token', 'https://ghcr.io'],
    ['file:///etc/passwd', 'https://ghcr.io'],
    ['https://user:pass@ghcr.io/token', 'https://ghcr.io'],
  ])('refuses %s for %s', (realm, registry) => {
    expect(judge(realm, registry, ['http://auth.docker.io', 'http://ghcr.io'])).toBe('refused');
  });

  it('trusts an origin that the operator listed, and only that origin', () => {
    const trusted = ['https://auth.example'];
    expect(judge('https://auth.example/t', 'https://registry.test', trusted)).toBe('trusted');
    expect(judge('https://auth.example:8443/t', 'https://registry.test', trusted)).toBe('foreign');
    expect(judge('https://x.auth.example/t', 'https://registry.test', trusted)).toBe('foreign');
  });

  it('never asks over http on behalf of an https registry', () => {
    fc.assert(
      fc.property(fc.domain(), fc.domain(), (realm, registry) => {
        expect(judge(`http://${realm}/`, `https://${registry}/`)).toBe('refused');
      }),
    );
  });

  it('never trusts a host that shares no domain', () => {
    fc.assert(
      fc.property(fc.domain(), (realm) => {
        const verdict = judge(`https://${realm}/`, 'https://registry.reef.test');
        expect(verdict).toBe(/(^|\.)reef\.test$/.test(realm) ? 'trusted' : 'foreign');
      }),
    );
  });
});
