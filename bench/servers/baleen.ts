import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, launch } from './launch.ts';
import type { Server, ServerKind } from './server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const entry = join(root, 'src/main.ts');

export const baleen: ServerKind = {
  name: 'baleen',
  describe: async () => {
    try {
      await access(entry);
    } catch {
      return undefined;
    }
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    return `baleen ${version} on Node ${process.version}: defaults, embedded catalog, access log on (json, into a file)`;
  },
  start: (upstreamPort) =>
    run(`upstreams:
  docker.io: { url: "http://127.0.0.1:${upstreamPort}" }
default_upstream: docker.io
`),
  startHosted: () => run('hosted: { repositories: ["**"] }\n'),
};

function run(more: string): Promise<Server> {
  return launch('baleen', async (folder, port) => {
    const config = join(folder, 'config.yaml');
    const operations = await freePort();
    return {
      command: process.execPath,
      // As `npm start` does.
      args: ['--max-semi-space-size=2', ...extraFlags(), entry, '--config', config],
      files: {
        [config]: `server: { listen: "127.0.0.1:${port}" }
operations: { listen: "127.0.0.1:${operations}" }
storage: { directory: "${join(folder, 'data')}" }
${more}log: { level: info, format: json }
`,
      },
    };
  });
}

/** Flags for a profiler, from BENCH_NODE_FLAGS, by blanks. */
function extraFlags(): string[] {
  return (process.env['BENCH_NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '');
}
