import { beforeAll, expect, it } from '@jest/globals';
import { Baleen, type Settings } from './baleen.ts';
import type { PushClient, PushTarget } from './clients/push-client.ts';
import { CountingProxy } from './counting-proxy.ts';
import { freePort } from './ports.ts';
import { suiteResources } from './resources.ts';
import { runnableImage, type RunnableImage } from './runnable-image.ts';

/** What differs from client to client. */
export interface PushSuite {
  /** Starts the client on a machine of its own. */
  readonly start: (target: PushTarget) => Promise<PushClient>;
  /** What `output()` gives for an image. */
  readonly expected?: (image: RunnableImage) => string;
  /** Whether the client remembers where it pushed a blob, and asks to have it mounted from there. */
  readonly mounts?: boolean;
  /** Whether the client shows the registry's message; else it shows the status alone. */
  readonly showsMessages?: boolean;
}

/** `local/…` lives here, with tags that stay; everything else is docker.io, which is not asked. */
const openToEverybody: Settings = {
  hosted: { repositories: ['local/**'], rules: [{ tags: ['v*'], immutable: true }] },
  upstreams: { 'docker.io': { url: 'http://127.0.0.1:9', offline: true } },
  default_upstream: 'docker.io',
};

/**
 * The story of an image that is pushed over plain HTTP to a registry without accounts: pulled
 * elsewhere, pushed again, mounted, pulled after a crash, deleted. Then what must not be pushed.
 */
export function describePushes(suite: PushSuite): void {
  const { expected = ({ prints }): string => prints, mounts = true, showsMessages = true } = suite;
  const resources = suiteResources();
  const image = runnableImage(41);
  let baleen: Baleen;
  let traffic: CountingProxy;
  let client: PushClient;

  beforeAll(async () => {
    baleen = resources.use(await Baleen.start(openToEverybody));
    traffic = resources.use(new CountingProxy(await freePort(), baleen.port));
    await traffic.start();
    client = resources.use(await suite.start({ host: traffic.host, certificates: undefined }));
  });

  const pushes = async (name: string): Promise<void> => {
    expect(await client.push(name)).toMatchObject({ code: 0 });
  };
  const pulls = async (name: string): Promise<void> => {
    expect(await client.pull(name)).toMatchObject({ code: 0 });
    expect(await client.output()).toBe(expected(image));
  };
  /** Uploads that were begun, as the requests came in. */
  const begun = (): typeof traffic.requests =>
    traffic.requests.filter(({ method, path }) => method === 'POST' && path.includes('/uploads'));

  it('pushes an image that another machine pulls and runs', async () => {
    await client.hold('local/app:1.0', image);
    await pushes('local/app:1.0');
    await pulls('local/app:1.0');
  });

  it('sends no blob a second time', async () => {
    await client.hold('local/app:1.1', image);
    traffic.forget();
    await pushes('local/app:1.1');
    expect(begun()).toEqual([]);
    await pulls('local/app:1.1');
  });

  if (mounts) {
    it('has blobs mounted from where it pushed them before', async () => {
      await client.hold('local/other/app:1.0', image);
      traffic.forget();
      await pushes('local/other/app:1.0');
      // Not every client asks for the config.
      const mounts = begun().filter(({ query }) => query.has('mount'));
      expect(mounts.length).toBeGreaterThanOrEqual(3);
      for (const { query, status } of mounts) {
        expect([query.get('from'), status]).toEqual(['local/app', 201]);
      }
      await pulls('local/other/app:1.0');
    });
  }

  it('is told that a tag stays what it is, and pushes the same image again', async () => {
    await client.hold('local/app:v1', image);
    await pushes('local/app:v1');
    await pushes('local/app:v1');
    await client.hold('local/app:v1', runnableImage(43));
    const { code, stdout, stderr } = await client.push('local/app:v1');
    expect(code).not.toBe(0);
    expect(stdout + stderr).toMatch(
      showsMessages ? /the tag v1 is immutable here/ : /403 Forbidden/,
    );
    await pulls('local/app:v1');
  });

  it('finds everything again when Baleen was killed right after the push', async () => {
    await client.hold('local/killed:1.0', image);
    await pushes('local/killed:1.0');
    await baleen.kill();
    await baleen.start();
    await pulls('local/killed:1.0');
    await pulls('local/app:1.1');
  });

  it('is told that an image is not there any more when it was deleted', async () => {
    const url = `${baleen.url}/v2/local/killed/manifests/1.0`;
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(202);
    const { code, stderr } = await client.pull('local/killed:1.0');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/manifest unknown|not found/i);
    await pulls('local/app:1.0');
  });

  it('is told which upstream a name leads to that cannot be pushed to', async () => {
    await client.hold('whales/app:1.0', image);
    const { code, stdout, stderr } = await client.push('whales/app:1.0');
    expect(code).not.toBe(0);
    expect(stdout + stderr).toMatch(
      showsMessages ? /docker\.io.*hosted\.repositories/ : /405 Method Not Allowed/,
    );
  });
}
