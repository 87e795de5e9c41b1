import { describe, expect, it } from '@jest/globals';
import { watchDescriptors } from '../../src/service/descriptor-watch.ts';
import { connectionLimit, parseOpenFiles } from '../../src/service/open-files.ts';
import { waitFor } from '../support/wait-for.ts';

const limits = `Limit                     Soft Limit           Hard Limit           Units     \nMax processes             3000                 3000                 processes \nMax open files            1024                 524288               files     \n`;

describe('the files that a process may open', () => {
  it.each([
    ['the soft limit', limits, 1024],
    ['none', limits.replace('1024  ', 'unlimited'), Infinity],
    ['nothing that is known', '', Infinity],
  ])('are read from what the system says: %s', (_what, text, files) => {
    expect(parseOpenFiles(text)).toBe(files);
  });

  it.each([
    [16_384, Infinity, 16_384],
    [16_384, 65_536, 16_384],
    [16_384, 1_024, 768],
    [16_384, 1, 1],
    [10, 1_024, 10],
  ])('leave room: of %i connections with %i files, %i', (configured, files, most) => {
    expect(connectionLimit(configured, files)).toBe(most);
  });

  it('are watched: said once when there are none left, and once when there are some again', async () => {
    const said: string[] = [];
    const states: boolean[] = [];
    const controller = new AbortController();
    let relieved = 0;
    let code: string | undefined = 'EMFILE';
    watchDescriptors(
      {
        probe() {
          if (code !== undefined) throw Object.assign(new Error('open'), { code });
        },
        logger: {
          error: () => said.push('error'),
          info: () => said.push('info'),
        },
        metrics: { descriptorsExhausted: (areExhausted) => states.push(areExhausted) },
        relieve: () => relieved++,
        interval: 1,
      },
      controller.signal,
    );
    await waitFor('some looks', () => relieved > 3);
    code = 'EACCES';
    await waitFor('the end of it', () => states.length === 2);
    controller.abort();
    expect([said, states]).toEqual([
      ['error', 'info'],
      [true, false],
    ]);
  });
});
