import { describe, expect, it } from '@jest/globals';
import { LiveLines } from '../../src/cli/live-lines.ts';
import { Screen } from '../support/screen.ts';

function open(columns = 20, rows = 10): { screen: Screen; live: LiveLines } {
  const screen = new Screen(columns);
  return { screen, live: new LiveLines(screen.write, () => ({ columns, rows })) };
}

describe('lines that change', () => {
  it('stand in the place of those before, however many there were', () => {
    const { screen, live } = open();
    for (const lines of [['a', 'bb', 'ccc'], ['longer'], ['1', '2'], ['x', '', 'y', 'z']]) {
      live.show(lines);
      expect(screen.lines).toEqual(lines);
    }
    live.clear();
    expect(screen.lines).toEqual([]);
  });

  it('stay below what is printed', () => {
    const { screen, live } = open();
    live.print('before');
    live.show(['a at work', 'total']);
    live.print('one is done\n');
    live.print('two\nlines');
    live.show(['total']);
    expect(screen.lines).toEqual(['before', 'one is done', 'two', 'lines', 'total']);
    live.clear();
    live.print('the end');
    expect(screen.lines).toEqual(['before', 'one is done', 'two', 'lines', 'the end']);
  });

  it('are written at once, and not at all where nothing has changed', () => {
    const { screen, live } = open();
    live.show(['a', 'b', 'c']);
    live.show(['a', 'b', 'd']);
    expect(screen.writes).toBe(2);
    live.show(['a', 'b', 'd']);
    live.clear();
    live.clear();
    expect(screen.writes).toBe(3);
  });

  it('never wrap, and never are more than there is room for: the last sums up', () => {
    const { screen, live } = open(10, 4);
    live.show(['0123456789', 'b'.repeat(30), 'c', 'd', 'the total of all']);
    expect(screen.lines).toEqual(['c', 'd', 'the total']);
    live.print('x');
    expect(screen.lines).toEqual(['x', 'c', 'd', 'the total']);
  });
});
