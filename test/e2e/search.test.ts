import { beforeAll, expect, it } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { Dockerd } from '../support/clients/dockerd.ts';
import { Podman } from '../support/clients/podman.ts';
import { describeWith } from '../support/describe-with.ts';
import { get } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { suiteResources } from '../support/resources.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';

const name = '{{.Name}} {{.Description}}';

await describeWith(
  'searching',
  ['dockerd', 'docker', 'podman'],
  () => {
    const resources = suiteResources();
    let baleen: Baleen;

    beforeAll(async () => {
      const upstream = resources.use(await ScriptedUpstream.start());
      for (const repository of ['blue/whale', 'whale-song', 'plankton']) {
        upstream.add(repository, 'v1', seededImage([1_000], 3));
      }
      const url = { url: upstream.url };
      baleen = resources.use(await Baleen.start({ upstreams: { 'reef.example': url } }));
      for (const repository of ['blue/whale', 'whale-song', 'plankton']) {
        const { status } = await get(`${baleen.url}/v2/reef.example/${repository}/manifests/v1`);
        expect(status).toBe(200);
      }
    });

    it('docker finds what is cached, the best answer first', async () => {
      const dockerd = resources.use(await Dockerd.start(baleen.url));
      const search = async (...args: string[]) =>
        dockerd.docker('search', '--no-trunc', '--format', name, ...args);
      expect(await search(`${baleen.host}/whale`)).toBe(
        'reef.example/blue/whale cached from reef.example\n' +
          'reef.example/whale-song cached from reef.example\n',
      );
      expect(await search('--limit', '1', `${baleen.host}/whale`)).toMatch(/^reef.*whale .*\n$/);
      expect(await search(`${baleen.host}/nothing`)).toBe('');
    });

    it('podman finds it, too, and all there is where no term is given', async () => {
      const podman = resources.use(await Podman.start(''));
      const search = async (term: string) => {
        const how = ['--tls-verify=false', '--no-trunc', '--format', '{{.Name}}'];
        return podman.podman('search', ...how, `${baleen.host}/${term}`);
      };
      const full = (repository: string): string => `${baleen.host}/reef.example/${repository}\n`;
      expect(await search('whale')).toBe(full('blue/whale') + full('whale-song'));
      expect(await search('')).toBe(full('blue/whale') + full('plankton') + full('whale-song'));
    });
  },
  { root: true },
);
