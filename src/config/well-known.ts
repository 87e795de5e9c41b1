/** The public registries that are proxied where the file names no upstreams, and their URLs. */
const urls: ReadonlyMap<string, string> = new Map([
  ['docker.io', 'https://registry-1.docker.io'],
  ['ghcr.io', 'https://ghcr.io'],
  ['quay.io', 'https://quay.io'],
  ['gcr.io', 'https://gcr.io'],
  ['registry.k8s.io', 'https://registry.k8s.io'],
  ['mcr.microsoft.com', 'https://mcr.microsoft.com'],
  ['public.ecr.aws', 'https://public.ecr.aws'],
  ['registry.gitlab.com', 'https://registry.gitlab.com'],
  ['nvcr.io', 'https://nvcr.io'],
  ['lscr.io', 'https://lscr.io'],
]);

/** The names of the default upstreams, in order. */
export const wellKnownUpstreams: readonly string[] = [...urls.keys()];

/** The URL of an upstream whose configuration gives none: its name, unless the registry lives elsewhere. */
export function defaultUrl(name: string): string {
  return urls.get(name) ?? `https://${name}`;
}

/** Names that mean a well-known upstream without being configured. Clients send each of these for Docker Hub. */
export function builtInAliases(name: string): readonly string[] {
  return name === 'docker.io'
    ? ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']
    : [];
}
