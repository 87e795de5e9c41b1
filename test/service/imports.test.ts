import { expect, it } from '@jest/globals';
import { Imports, type ImportsOptions } from '../../src/service/imports.ts';

it('begins nothing any more when the process is told to stop', async () => {
  const stop = new AbortController();
  const { signal } = stop;
  // None of the rest is touched.
  const imports = new Imports({ signal } as ImportsOptions);
  stop.abort();
  const events = imports.does['import']!({ staged: 'a'.repeat(64) }, signal);
  await expect((events as AsyncGenerator).next()).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('import again'),
  });
  await imports.settled();
});
