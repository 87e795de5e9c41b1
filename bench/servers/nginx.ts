import { join } from 'node:path';
import { launch, versionOf } from './launch.ts';
import type { ServerKind } from './server.ts';

export const nginx: ServerKind = {
  name: 'nginx',
  describe: async () => {
    const version = await versionOf('nginx', ['-v']);
    const number = version?.split('/').at(-1);
    return number === undefined
      ? undefined
      : `nginx ${number}: proxy_cache with lock, a worker per core, sendfile, tcp_nopush, keep-alive both ways, no slices, access log off`;
  },
  start: (upstreamPort) =>
    launch('nginx', (folder, port) => {
      const config = join(folder, 'nginx.conf');
      return Promise.resolve({
        command: 'nginx',
        args: ['-c', config, '-p', folder, '-e', join(folder, 'error.log')],
        files: { [config]: configuration(folder, port, upstreamPort) },
      });
    }),
};

/** Workers started by root would otherwise change to a user who may not enter the folder. */
const user = (): string => (process.getuid?.() === 0 ? 'user root root;\n' : '');

const configuration = (folder: string, port: number, upstreamPort: number): string =>
  `${user()}daemon off;
worker_processes auto;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')} error;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  client_body_temp_path ${join(folder, 'body')};
  fastcgi_temp_path ${join(folder, 'fastcgi')};
  uwsgi_temp_path ${join(folder, 'uwsgi')};
  scgi_temp_path ${join(folder, 'scgi')};
  proxy_temp_path ${join(folder, 'proxy')};
  proxy_cache_path ${join(folder, 'cache')} levels=1:2 keys_zone=bench:10m max_size=50g inactive=1h use_temp_path=off;
  upstream registry { server 127.0.0.1:${upstreamPort}; keepalive 32; }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / {
      proxy_pass http://registry;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache bench;
      proxy_cache_key $uri;
      proxy_cache_valid 200 1h;
      proxy_cache_lock on;
    }
  }
}
`;
