import { beforeAll, describe, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { Skopeo } from '../support/clients/skopeo.ts';
import { describeWith } from '../support/describe-with.ts';
import { DockerRegistry } from '../support/docker-registry.ts';
import { describePulls, dockerHubAt } from '../support/pull-suite.ts';
import { suiteResources } from '../support/resources.ts';
import { runnableImage, type RunnableImage } from '../support/runnable-image.ts';

/** Every blob of an OCI layout that holds the whole image. */
const contents = ({ manifest, children, blobs }: RunnableImage): string =>
  [manifest, ...children, ...blobs]
    .map(({ digest }) => digest)
    .toSorted()
    .join('\n');

await describeWith('skopeo', ['skopeo', 'docker-registry', 'htpasswd', 'busybox'], () => {
  describe('copying whole images from a path of Baleen', () => {
    describePulls({
      start: ({ host }) => Skopeo.start(host),
      expected: contents,
      // Two platforms, which share the layer with busybox.
      blobs: 7,
    });
  });

  describe('inspecting', () => {
    const resources = suiteResources();
    const image = runnableImage(5);
    let skopeo: Skopeo;
    let registry: DockerRegistry;
    const inspect = async (...options: string[]): Promise<Record<string, unknown>> => {
      const name = skopeo.name('library/runnable', ':1.0');
      const printed = await skopeo.skopeo('inspect', '--tls-verify=false', ...options, name);
      return JSON.parse(printed) as Record<string, unknown>;
    };

    beforeAll(async () => {
      registry = resources.use(await DockerRegistry.start());
      await registry.push('library/runnable', '1.0', image);
      await registry.push('library/runnable', '1.1', image);
      const baleen = resources.use(await Baleen.start(dockerHubAt(registry)));
      skopeo = resources.use(await Skopeo.start(baleen.host));
    });

    it('shows digest, layers and all tags', async () => {
      expect(await inspect()).toMatchObject({
        Digest: image.manifest.digest,
        RepoTags: ['1.0', '1.1'],
        Architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      });
    });

    it('shows the index as it is, byte for byte', async () => {
      expect(await inspect('--raw')).toEqual(JSON.parse(image.manifest.bytes.toString()));
    });

    it('shows what is cached with the upstream down', async () => {
      await registry.stop();
      expect(await inspect()).toMatchObject({ RepoTags: ['1.0', '1.1'] });
    });
  });
});
