import { describe, expect, it, jest } from '@jest/globals';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Child } from '../support/child.ts';
import { RedisServer } from '../support/redis-server.ts';
import { tempDir } from '../support/temp-dir.ts';

jest.setTimeout(60_000);

/** Uses a catalog without end, in a process that any stray rejection or error event would end. */
const program = (source: string, directory: string, url: string): string => `
  import { setTimeout as sleep } from 'node:timers/promises';
  const { createCatalog } = await import(${JSON.stringify(source)});
  const observer = { error() {}, up: (isUp) => console.log(isUp ? 'up' : 'down') };
  const catalog = await createCatalog({
    directory: ${JSON.stringify(directory)},
    redis: { url: ${JSON.stringify(url)}, password: 'sesame', timeout: 300 },
    observer,
  });
  let isRunning = true;
  process.once('SIGTERM', () => (isRunning = false));
  for (let round = 0; isRunning; round += 1) {
    const tag = 'tag-' + (round % 50);
    const digest = 'sha256:' + String(round % 10).repeat(64);
    const checkedAt = Date.now();
    await catalog.putTag('r/a', tag, { digest, mediaType: 'x/y', size: round, checkedAt });
    const known = await catalog.tag('r/a', tag);
    if (known?.size !== round) throw new Error('lost ' + tag);
    await catalog.absent('r/a', 'manifests/' + round);
    await sleep(1);
  }
  await catalog.close();
  console.log('closed');
`;

describe('a process whose Redis is killed, started, flushed and hung', () => {
  it('goes on through all of it, and ends by itself once it is closed', async () => {
    await using server = await RedisServer.start({ password: 'sesame' });
    await using folder = tempDir('survival');
    const source = pathToFileURL(join(process.cwd(), 'src/catalog/create-catalog.ts')).href;
    const code = program(source, join(folder.path, 'v1'), server.url);
    await using child = new Child(process.execPath, ['--input-type=module', '-e', code]);
    const lines = (): string[] => child.stdout.split('\n').filter((line) => line !== '');
    const becomes = (state: string) => child.until(state, () => lines().at(-1) === state);

    await becomes('up');
    await server.stop();
    await becomes('down');
    await server.start();
    await becomes('up');
    await server.flush();
    server.pause();
    await becomes('down');
    server.resume();
    await becomes('up');
    await server.stop();
    await becomes('down');
    child.signal('SIGTERM');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(lines().at(-1)).toBe('closed');
    expect(child.stderr).toBe('');
  });
});
