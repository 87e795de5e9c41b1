import { describe, expect, it } from '@jest/globals';
import { formatFloor, parseFloor } from '../../src/config/floor.ts';

describe('a floor', () => {
  it.each([
    ['10%', { share: 0.1 }],
    [' 12.5 % ', { share: 0.125 }],
    ['0%', { share: 0 }],
    ['100%', { share: 1 }],
    ['20', { count: 20 }],
    ['0', { count: 0 }],
  ])('is read from %j, and written so that it reads the same', (text, floor) => {
    expect(parseFloor(text)).toEqual(floor);
    expect(parseFloor(String(formatFloor(floor as { share: number })))).toEqual(floor);
  });

  it.each(['', '101%', '1.5', '-1', 'ten', '10 percent', '1e3', '%'])(
    'is not read from %j',
    (text) => {
      expect(parseFloor(text)).toBeUndefined();
    },
  );
});
