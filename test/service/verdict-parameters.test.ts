import { describe, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { verdictParameters, verdictQuery } from '../../src/service/verdict-parameters.ts';

const digest = digestOf(Buffer.from('whale'));

describe('what POST /api/verdicts is given', () => {
  it('is an image or a digest, and what is said of it', () => {
    expect(verdictParameters({ digest, verdict: 'allow' })).toEqual({
      image: digest,
      verdict: 'allow',
      reason: undefined,
      by: undefined,
      expiresIn: undefined,
    });
    const all = { verdict: 'deny', reason: 'CVE', by: 'trivy', expires_in: '1h30m' };
    expect(verdictParameters({ image: 'local/whale:1', ...all })).toEqual({
      image: 'local/whale:1',
      verdict: 'deny',
      reason: 'CVE',
      by: 'trivy',
      expiresIn: 5_400_000,
    });
  });

  it.each([
    [{}],
    [{ verdict: 'allow' }],
    [{ digest, image: 'a:1', verdict: 'allow' }],
    [{ digest }],
    [{ digest, verdict: 'good' }],
    [{ digest, verdict: true }],
    [{ digest: 7, verdict: 'allow' }],
    [{ digest: '', verdict: 'allow' }],
    [{ digest: 'sha256:12', verdict: 'allow' }],
    [{ digest, verdict: 'allow', expires: '7d' }],
    [{ digest, verdict: 'allow', expires_in: 'soon' }],
    [{ digest, verdict: 'allow', expires_in: '0s' }],
    [{ digest, verdict: 'allow', expires_in: 7 }],
    [{ digest, verdict: 'allow', reason: ['x'] }],
    [{ digest, verdict: 'allow', reason: 'x'.repeat(1001) }],
    [{ digest, verdict: 'allow', by: 'x'.repeat(201) }],
  ])('is refused: %j', (given) => {
    expect(() => verdictParameters(given)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(REQUEST|DIGEST)_INVALID$/) }),
    );
  });
});

describe('what GET /api/verdicts is asked for', () => {
  it('is one image, or all', () => {
    expect(verdictQuery({})).toBeUndefined();
    expect(verdictQuery({ digest })).toBe(digest);
    expect(verdictQuery({ image: 'a:1' })).toBe('a:1');
    expect(() => verdictQuery({ image: 'a:1', digest })).toThrow();
    expect(() => verdictQuery({ page: '2' })).toThrow(/"page"/);
  });
});
