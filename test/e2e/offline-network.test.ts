import { beforeAll, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { command, tryCommand } from '../support/command.ts';
import { describeWith } from '../support/describe-with.ts';
import { IsolatedNetwork } from '../support/network.ts';
import { suiteResources } from '../support/resources.ts';
import { waitFor } from '../support/wait-for.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const paths = [
  'library/alpine/manifests/3.20',
  `library/alpine/manifests/${digest}`,
  `library/alpine/blobs/${digest}`,
  'library/alpine/tags/list',
  `library/alpine/referrers/${digest}`,
  'ghcr.io/org/app/manifests/1.0',
  'quay.io/org/app/manifests/1.0',
];

await describeWith(
  'a Baleen in a network of its own',
  ['ip', 'nsenter', 'curl'],
  () => {
    const resources = suiteResources();
    let seen: () => string[];
    let baleen: Baleen;

    const statuses = async (): Promise<string> => {
      const args = paths.flatMap((path) => ['-o', '/dev/null', `${baleen.url}/v2/${path}`]);
      const options = ['-s', '-w', '%{http_code} ', '--max-time', '50'];
      return command(...baleen.network.enter('curl', [...options, ...args]));
    };

    beforeAll(async () => {
      const network = resources.use(await IsolatedNetwork.create());
      seen = await network.watch();
      baleen = resources.use(
        await Baleen.prepare({
          offline: true,
          upstreams: {
            'docker.io': { url: 'https://registry-1.docker.io' },
            'ghcr.io': { url: 'https://ghcr.io' },
            'quay.io': { url: 'http://quay.io' },
          },
        }),
      );
      baleen.network = network.watched;
      await baleen.start();
    });

    it('looks up no name and opens no connection while it is offline, whatever is asked of it', async () => {
      expect(await statuses()).toBe('404 404 404 404 200 404 404 ');
      expect((await baleen.command('missing')).stdout).toContain('docker.io/library/alpine:3.20');
      // What comes behind all that Baleen may have asked has come, too.
      await tryCommand(...baleen.network.enter('curl', ['http://marker.example/']));
      await waitFor('the marker', () => seen().includes('name marker.example'));
      expect(new Set(seen())).toEqual(new Set(['name marker.example', 'connection to 80']));
    });

    it('would have been seen: with a line it does both', async () => {
      await baleen.stop();
      baleen.configure({ offline: false });
      await baleen.start();
      await statuses();
      await waitFor('names and connections', () => seen().includes('connection to 443'));
      expect(new Set(seen())).toEqual(
        new Set([
          'name marker.example',
          'name registry-1.docker.io',
          'name ghcr.io',
          'name quay.io',
          'connection to 443',
          'connection to 80',
        ]),
      );
    });
  },
  { isolated: true },
);
