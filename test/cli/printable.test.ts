import { describe, expect, it } from '@jest/globals';
import { describeFaults } from '../../src/cli/warm-list.ts';
import { printable, printableLines } from '../../src/cli/printable.ts';

describe('what a command prints of what others wrote', () => {
  it.each([
    ['orders to a terminal', '\u001b[2Jgone', '\ufffd[2Jgone'],
    ['those of eight bits', '\u009b2Jgone', '\ufffd2Jgone'],
    ['a way back in the line', 'failed\rwarmed', 'failed\ufffdwarmed'],
    ['another direction of reading', 'a\u202eb', 'a\ufffdb'],
    ['a second line', 'a\nb\u2028c', 'a\ufffdb\ufffdc'],
  ])('has no %s in it', (_what, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('keeps lines where it has several', () => {
    expect(printableLines('a\u001b\nb')).toBe('a\ufffd\nb');
  });

  it('has none where it quotes a list', () => {
    const shown = describeFaults(['list:1: "\u001b]0;x\u0007" is no image']);
    expect(shown).toContain('list:1: "\ufffd]0;x\ufffd" is no image');
  });
});
