import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from 'bcryptjs';
import { Baleen } from '../support/baleen.ts';
import { Dockerd } from '../support/clients/dockerd.ts';
import { Podman } from '../support/clients/podman.ts';
import { describeWith } from '../support/describe-with.ts';
import { get } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { suiteResources } from '../support/resources.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { tempDir } from '../support/temp-dir.ts';

const repositories = ['blue/whale', 'whale-song', 'plankton'];
const password = 'krill';

await describeWith(
  'searching',
  ['dockerd', 'docker', 'podman'],
  () => {
    const resources = suiteResources();
    let baleen: Baleen;
    let dockerd: Dockerd;
    let podman: Podman;

    beforeAll(async () => {
      const upstream = resources.use(await ScriptedUpstream.start());
      for (const name of repositories) upstream.add(name, 'v1', seededImage([1_000], 3));
      const url = { url: upstream.url };
      baleen = resources.use(await Baleen.start({ upstreams: { 'reef.example': url } }));
      for (const name of repositories) {
        const { status } = await get(`${baleen.url}/v2/reef.example/${name}/manifests/v1`);
        expect(status).toBe(200);
      }
      dockerd = resources.use(await Dockerd.start());
      podman = resources.use(await Podman.start(''));
    });

    const withDocker = async (term: string, ...args: string[]): Promise<string> => {
      const how = ['--no-trunc', '--format', '{{.Name}} {{.Description}}', ...args];
      return dockerd.docker('search', ...how, `${baleen.host}/${term}`);
    };
    const withPodman = async (term: string): Promise<string> => {
      const how = ['--tls-verify=false', '--no-trunc', '--format', '{{.Name}}'];
      return podman.podman('search', ...how, `${baleen.host}/${term}`);
    };
    /** As the two print them. */
    const found = (...names: string[]) => ({
      docker: names.map((name) => `reef.example/${name} cached from reef.example\n`).join(''),
      podman: names.map((name) => `${baleen.host}/reef.example/${name}\n`).join(''),
    });

    describe('where everybody may', () => {
      it('docker finds what is cached, the best answer first', async () => {
        expect(await withDocker('whale')).toBe(found('blue/whale', 'whale-song').docker);
        expect(await withDocker('whale', '--limit', '1')).toBe(found('blue/whale').docker);
        expect(await withDocker('nothing')).toBe('');
      });

      it('podman finds it, too, and all there is where no term is given', async () => {
        expect(await withPodman('whale')).toBe(found('blue/whale', 'whale-song').podman);
        expect(await withPodman('')).toBe(found('blue/whale', 'plankton', 'whale-song').podman);
      });
    });

    describe('where there are accounts', () => {
      beforeAll(async () => {
        const { path } = resources.use(tempDir());
        const htpasswd = join(path, 'htpasswd');
        await writeFile(htpasswd, `alice:${await hash(password, 4)}\n`);
        baleen.configure({
          auth: { htpasswd },
          access: [
            {
              accounts: ['anonymous'],
              repositories: ['reef.example/whale-song'],
              actions: ['pull'],
            },
            { accounts: ['alice'], repositories: ['reef.example/**'], actions: ['pull'] },
          ],
        });
        await baleen.stop();
        await baleen.start();
      });

      it('strangers find what everybody may pull', async () => {
        expect(await withDocker('whale')).toBe(found('whale-song').docker);
        expect(await withPodman('whale')).toBe(found('whale-song').podman);
        expect(await withDocker('plankton')).toBe('');
      });

      it('who has logged in finds what they may pull', async () => {
        const login = ['login', '--username', 'alice', '--password', password];
        await dockerd.docker(...login, baleen.host);
        expect(await withDocker('whale')).toBe(found('blue/whale', 'whale-song').docker);
        await podman.podman(...login, '--tls-verify=false', baleen.host);
        expect(await withPodman('whale')).toBe(found('blue/whale', 'whale-song').podman);
        await dockerd.docker('logout', baleen.host);
        expect(await withDocker('whale')).toBe(found('whale-song').docker);
      });
    });
  },
  { root: true },
);
