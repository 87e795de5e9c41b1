import { join } from 'node:path';
import { launch, versionOf } from './launch.ts';
import type { Server, ServerKind } from './server.ts';

/** CNCF distribution in proxy mode, or as the registry that it is. As a proxy it asks the upstream for `/v2/` when it boots, and panics without an answer. */
export const dockerRegistry: ServerKind = {
  name: 'docker-registry',
  describe: async () => {
    const version = await versionOf('docker-registry', ['--version']);
    const number = version?.split(/\s+/).at(-1);
    return number === undefined
      ? undefined
      : `docker-registry ${number}: proxy mode (for pushes, none), filesystem storage, descriptors cached in memory, access log off`;
  },
  start: (upstreamPort) =>
    run(`proxy: { remoteurl: "http://127.0.0.1:${upstreamPort}" }
`),
  startHosted: () => run(''),
};

function run(more: string): Promise<Server> {
  return launch('docker-registry', (folder, port) => {
    const config = join(folder, 'config.yml');
    return Promise.resolve({
      command: 'docker-registry',
      args: ['serve', config],
      files: {
        [config]: `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: "${join(folder, 'data')}" }
  cache: { blobdescriptor: inmemory }
http: { addr: "127.0.0.1:${port}" }
${more}`,
      },
    });
  });
}
