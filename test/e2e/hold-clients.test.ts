import { beforeAll, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { ContainerdPusher } from '../support/clients/containerd-pusher.ts';
import { DockerPusher } from '../support/clients/docker-pusher.ts';
import { PodmanPusher } from '../support/clients/podman-pusher.ts';
import type { PushClient, PushTarget } from '../support/clients/push-client.ts';
import { describeWith } from '../support/describe-with.ts';
import { suiteResources } from '../support/resources.ts';
import { runnableImage } from '../support/runnable-image.ts';

type Start = (target: PushTarget) => Promise<PushClient>;

const message = 'wait for the scan of this image';

await describeWith(
  'an image that is held back, to real clients',
  ['dockerd', 'docker', 'podman', 'containerd', 'runc', 'busybox'],
  () => {
    const resources = suiteResources();
    const [first, second] = [runnableImage(51), runnableImage(52)];
    let baleen: Baleen;

    beforeAll(async () => {
      const hosted = { repositories: ['local/**'] };
      const hold = { repositories: ['local/**'], message };
      baleen = resources.use(await Baleen.start({ hosted, hold }));
    });

    const digestOf = async (name: string): Promise<string> => {
      const [repository, tag] = name.split(':');
      const path = `/v2/${String(repository)}/manifests/${String(tag)}`;
      const { headers } = await fetch(`${baleen.url}${path}`, { method: 'HEAD' });
      return headers.get('docker-content-digest') ?? '';
    };
    const say = async (verdict: string, name: string, reason?: string): Promise<void> => {
      const answer = await fetch(`${baleen.operationsUrl}/api/verdicts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ digest: await digestOf(name), verdict, reason }),
      });
      expect(answer.status).toBe(200);
    };

    it.each<[string, Start, boolean]>([
      ['docker', (target) => DockerPusher.start(target), true],
      ['podman', (target) => PodmanPusher.start(target), true],
      // It shows the status alone.
      ['containerd', (target) => ContainerdPusher.start(target), false],
    ])(
      '%s is told why, can push another one in its place, and pulls what was judged',
      async (by, start, shows) => {
        await using client = await start({ host: baleen.host, certificates: undefined });
        const name = `local/${by}:1.0`;
        const isRefused = async (reason: string): Promise<void> => {
          const { code, stdout, stderr } = await client.pull(name);
          expect(code).not.toBe(0);
          expect(stdout + stderr).toContain(shows ? reason : '403 Forbidden');
        };
        await client.hold(name, first);
        expect(await client.push(name)).toMatchObject({ code: 0 });
        await isRefused(message);
        await say('deny', name, 'CVE-2026-1 in libwhale');
        await isRefused('CVE-2026-1 in libwhale');
        await client.hold(name, second);
        expect(await client.push(name)).toMatchObject({ code: 0 });
        await isRefused(message);
        await say('allow', name);
        expect(await client.pull(name)).toMatchObject({ code: 0 });
        expect(await client.output()).toBe(second.prints);
      },
    );
  },
  { root: true },
);
