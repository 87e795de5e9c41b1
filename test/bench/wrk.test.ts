import { describe, expect, it } from '@jest/globals';
import { readWrk } from '../../bench/wrk.ts';

describe('readWrk', () => {
  it('takes the rate', () => {
    expect(readWrk('  3000 requests in 1.00s\nRequests/sec:  35678.12\n')).toBe(35678.12);
  });

  it('takes no rate of refusals', () => {
    const report = '  Non-2xx or 3xx responses: 12\nRequests/sec:  99999.00\n';
    expect(() => readWrk(report)).toThrow('12 responses');
    expect(() => readWrk('unable to connect')).toThrow('no rate');
  });
});
