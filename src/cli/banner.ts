import type { Config, Listen } from '../config/config.ts';
import { formatListen, isLoopback, isWildcard } from '../config/listen.ts';
import { exampleName } from '../service/hosted-names.ts';
import { isOpenToPush } from '../service/open-door.ts';

/** What the banner cannot know from the configuration. */
export interface BannerFacts {
  readonly version: string;
  /** This machine's name, as other machines may call it. */
  readonly hostname: string;
}

/**
 * What a person reads after the start: where Baleen listens, what it proxies, where the images
 * are, and what to paste into which client. The addresses in the configuration are those really
 * listened on: where the port was 0, the caller has put in the one it got.
 */
export function banner(config: Config, { version, hostname }: BannerFacts): string {
  const address = reachableAt(config.server.listen, hostname);
  const scheme = config.server.tls === undefined ? 'http' : 'https';
  const sections = [
    facts(config, version),
    push(config, address),
    docker(config, `${scheme}://${address}`),
    containerd(config, `${scheme}://${address}`),
    podman(config, address, scheme),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n\n`;
}

function facts(config: Config, version: string): string {
  const names = Object.entries(config.upstreams).map(([name, { offline }]) =>
    offline && !config.offline ? `${name} (offline)` : name,
  );
  const { default_upstream: chosen } = config;
  const operations = config.operations.listen;
  const lines = [
    `Baleen ${version}`,
    `  registry    ${formatListen(config.server.listen)}${config.server.tls === undefined ? '' : ' (TLS)'}`,
    `  operations  ${operations === undefined ? 'off' : `http://${reachableAt(operations, 'localhost')}/metrics`}`,
    `  images      ${config.storage.directory}`,
    `  proxies     ${names.length === 0 ? 'nothing' : names.join(', ')}${config.offline ? ' (offline)' : ''}`,
    `  by default  ${chosen ?? 'none: clients say which registry they mean'}`,
    ...hosts(config),
  ];
  return lines.join('\n');
}

function hosts(config: Config): string[] {
  const { repositories } = config.hosted;
  if (repositories.length === 0) return [];
  const warning = 'WARNING: who reaches it may push and delete: there is no auth';
  return [`  hosts       ${repositories.join(', ')}${isOpenToPush(config) ? `   ${warning}` : ''}`];
}

function push(config: Config, address: string): string {
  const name = exampleName(config);
  if (name === undefined) return '';
  const { listen, tls } = config.server;
  // Docker needs neither TLS nor a setting for what it calls localhost.
  const isHere = tls === undefined && (isWildcard(listen) || isLoopback(listen));
  const registry = isHere ? formatListen({ ...listen, host: 'localhost' }) : address;
  const image = `${registry}/${name}`;
  const lines = [
    'Push to it',
    ...(config.auth === undefined ? [] : [`  docker login ${registry}`]),
    `  docker tag myapp ${image}`,
    `  docker push ${image}`,
    ...(tls === undefined && !isLoopback(listen)
      ? [
          'and from other machines, where Docker wants TLS (baleen cert self-signed), or in /etc/docker/daemon.json',
          `  { "insecure-registries": ["${address}"] }`,
        ]
      : []),
  ];
  return lines.join('\n');
}

function docker(config: Config, url: string): string {
  if (config.default_upstream !== 'docker.io') return '';
  return `Docker, in /etc/docker/daemon.json (mirrors docker.io; then: systemctl reload docker)
  { "registry-mirrors": ["${url}"] }`;
}

function containerd(config: Config, url: string): string {
  if (Object.keys(config.upstreams).length === 0) return '';
  return `containerd, in /etc/containerd/certs.d/_default/hosts.toml (all registries; what is not proxied here goes direct)
  [host."${url}"]
    capabilities = ["pull", "resolve"]`;
}

function podman(config: Config, address: string, scheme: string): string {
  const name = config.default_upstream ?? Object.keys(config.upstreams)[0];
  if (name === undefined) return '';
  const insecure = scheme === 'http' ? ', insecure = true' : '';
  return `podman and CRI-O, in /etc/containers/registries.conf.d/baleen.conf (more registries: more entries)
  registry = [{ location = "${name}", mirror = [{ location = "${address}/${name}"${insecure} }] }]`;
}

/** How a client writes the address; of a server that listens everywhere, by the machine's name. */
function reachableAt(listen: Listen, hostname: string): string {
  return isWildcard(listen)
    ? formatListen({ host: hostname, port: listen.port })
    : formatListen(listen);
}
