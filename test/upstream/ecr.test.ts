import { describe, expect, it } from '@jest/globals';
import { isEcr } from '../../src/upstream/ecr.ts';

describe('isEcr', () => {
  const credential = { kind: 'basic', username: 'u', password: 'p' } as const;
  it.each([
    ['123456789012.dkr.ecr.eu-west-1.amazonaws.com', true],
    ['123456789012.dkr.ecr-fips.us-east-1.amazonaws.com', true],
    ['123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', true],
    ['public.ecr.aws', false],
    ['dkr.ecr.evil.example', false],
  ])('knows %s: %j', (host, expected) => {
    expect(isEcr(host, credential)).toBe(expected);
    expect(isEcr(host, { ...credential, username: 'AWS' })).toBe(true);
  });
});
