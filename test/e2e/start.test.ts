import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { describe, expect, it, jest } from '@jest/globals';
import { Baleen, type Settings } from '../support/baleen.ts';
import { command } from '../support/command.ts';
import { get } from '../support/http-get.ts';
import { noteNotRun } from '../support/not-run.ts';
import { testResources } from '../support/resources.ts';

jest.setTimeout(30_000);

const isRoot = process.getuid?.() === 0;
const itAsRoot = isRoot ? it : it.skip;
if (!isRoot) noteNotRun('starting with a read-only data directory', 'needs root to mount one');

describe('starting', () => {
  const resources = testResources();

  /** Starts what must fail; gives how it ended and what it said. */
  const failing = async (
    settings: Settings,
    arrange: (baleen: Baleen) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<{ code: number | null; said: string }> => {
    const baleen = resources.use(await Baleen.prepare(settings));
    await arrange(baleen);
    const child = await baleen.spawn();
    const { code } = await child.exited;
    return { code, said: child.stderr + child.stdout };
  };

  it('fails with a clear message where the port is in use', async () => {
    const other = createServer();
    resources.defer(() => void other.close());
    const { code, said } = await failing({}, async ({ port }) => {
      other.listen(port, '127.0.0.1');
      await once(other, 'listening');
    });
    expect(code).toBe(1);
    expect(said).toMatch(/in use/i);
    expect(said).not.toMatch(/^ +at /m);
  });

  it('fails with a clear message where the data directory is a file', async () => {
    const { code, said } = await failing({}, async ({ dataDirectory }) => {
      await mkdir(dirname(dataDirectory), { recursive: true });
      await writeFile(dataDirectory, '');
    });
    expect(code).toBe(1);
    expect(said).toMatch(/director/i);
    expect(said).not.toMatch(/^ +at /m);
  });

  // A mount that is read-only: the one thing that stops root, too.
  itAsRoot('fails with a clear message where the data directory cannot be written', async () => {
    const { code, said } = await failing({}, async ({ dataDirectory }) => {
      await mkdir(dataDirectory, { recursive: true });
      await command('mount', ['-t', 'tmpfs', '-o', 'ro', 'baleen-test', dataDirectory]);
    });
    expect(code).toBe(1);
    expect(said).toMatch(/read-only|writ/i);
    expect(said).not.toMatch(/^ +at /m);
  });

  it('fails with every fault of the configuration at once', async () => {
    const { code, said } = await failing({
      upstreams: { 'docker.io': { tag_ttl: 'soon' } },
      storage: { directory: './data', max_size: '50 parsecs' },
      sever: {},
    });
    expect(code).toBe(2);
    expect(said).toMatch(/tag_ttl/);
    expect(said).toMatch(/max_size/);
    expect(said).toMatch(/sever/);
    expect(said).toMatch(/baleen\.yaml:\d+/);
  });

  it('succeeds with a Redis that is not there, and says so', async () => {
    const baleen = resources.use(
      await Baleen.start({ catalog: { redis: { url: 'redis://127.0.0.1:9' } } }),
    );
    expect((await get(`${baleen.url}/v2/`)).status).toBe(200);
    await baleen.process.until('says so', () =>
      /Redis is out of reach/.test(baleen.process.stdout + baleen.process.stderr),
    );
    expect((await get(`${baleen.operationsUrl}/healthz`)).status).toBe(200);
    expect((await baleen.stop()).code).toBe(0);
  });

  it('succeeds with no upstream in reach, and answers on every probe', async () => {
    const baleen = resources.use(
      await Baleen.start({
        upstreams: { 'docker.io': { url: 'http://127.0.0.1:9' } },
        default_upstream: 'docker.io',
      }),
    );
    for (const path of ['healthz', 'readyz', 'metrics']) {
      expect((await get(`${baleen.operationsUrl}/${path}`)).status).toBe(200);
    }
    const missing = await get(`${baleen.url}/v2/library/x/manifests/latest`);
    expect([503, 504]).toContain(missing.status);
    expect((await baleen.stop()).code).toBe(0);
  });
});
