import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decideRange } from '../../src/oci/byte-range.ts';

const partial = (...ranges: [number, number][]) => ({
  kind: 'partial',
  ranges: ranges.map(([start, end]) => ({ start, end })),
});

describe('a Range header', () => {
  it.each([
    [undefined, { kind: 'full' }],
    ['bytes=0-1', partial([0, 1])],
    ['bytes=500-', partial([500, 999])],
    ['bytes=-100', partial([900, 999])],
    ['bytes=900-5000', partial([900, 999])],
    ['bytes=-5000', partial([0, 999])],
    ['bytes=1000-', { kind: 'unsatisfiable' }],
    ['bytes=-0', { kind: 'unsatisfiable' }],
    ['bytes=5-4', { kind: 'unsatisfiable' }],
    ['bytes=5-4,10-19', partial([10, 19])],
    ['bytes=-', { kind: 'full' }],
    ['bytes=0-1,10-19', partial([0, 1], [10, 19])],
    ['bytes=0-1,5000-', partial([0, 1])],
    ['bytes=0-10,5-20', { kind: 'full' }],
    ['items=0-1', { kind: 'full' }],
    ['bytes', { kind: 'full' }],
    ['rubbish', { kind: 'full' }],
  ])('%s of 1000 bytes', (header, expected) => {
    expect(decideRange(header, 1000)).toEqual(expected);
  });

  it('never makes an empty blob an error', () => {
    expect(decideRange('bytes=0-', 0)).toEqual({ kind: 'full' });
  });

  it('never selects a byte that is not there, whatever it says', () => {
    const part = fc.oneof(
      fc.string(),
      fc.tuple(fc.integer(), fc.integer()).map(([a, b]) => `${a}-${b}`),
      fc.nat().map((n) => `${n}-`),
      fc.nat().map((n) => `-${n}`),
    );
    const header = fc.array(part, { maxLength: 80 }).map((parts) => `bytes=${parts.join(',')}`);
    fc.assert(
      fc.property(header, fc.nat({ max: 10_000 }), (text, size) => {
        const decision = decideRange(text, size);
        if (decision.kind !== 'partial') return;
        for (const { start, end } of decision.ranges) {
          expect(start >= 0 && start <= end && end < size).toBe(true);
        }
      }),
    );
  });
});
