import { describe, expect, it } from '@jest/globals';
import { parseOptions, SECTIONS, SERVERS } from '../../bench/options.ts';

const parse = (...args: string[]) => parseOptions(args, 'default.md');

describe('bench options', () => {
  it('measures everything by default and writes the report', () => {
    const options = parse();
    expect(options.only).toEqual(SECTIONS);
    expect(options.servers).toEqual(SERVERS);
    expect(options.output).toBe('default.md');
    expect(options.bigBlobSize).toBe(4_000_000_000);
  });

  it.each([[['--quick']], [['--only', 'blobs']], [['--servers', 'nginx']]])(
    'leaves the written report alone after a partial run: %j',
    (args) => {
      expect(parse(...args).output).toBeUndefined();
      expect(parse(...args, '--output', 'mine.md').output).toBe('mine.md');
    },
  );

  it('takes sections in their own order', () => {
    expect(parse('--only', 'memory, blobs').only).toEqual(['blobs', 'memory']);
  });

  it.each([
    [['--only', 'blobs,lunch'], 'lunch'],
    [['--servers', ''], '--servers'],
    [['--rounds', '0'], '--rounds'],
    [['--rounds', '1.5'], '--rounds'],
    [['--fast'], '--fast'],
    [['blobs'], 'blobs'],
  ])('names the fault of %j', (args, named) => {
    expect(() => parse(...args)).toThrow(named);
  });
});
