import type { CredentialsConfig, UpstreamConfig } from '../config/config.ts';
import { CachedCredentials } from '../upstream/cached-credentials.ts';
import { HelperCredentials } from '../upstream/credential-helper.ts';
import {
  StaticCredentials,
  type CredentialSource,
  type LabelledCredentials,
} from '../upstream/credentials.ts';
import { DockerConfigCredentials } from '../upstream/docker-config.ts';
import { PasswordFileCredentials } from '../upstream/password-file.ts';

/**
 * Builds the credentials of an upstream, in the order of the file. Each is called by its user, or
 * `credential-N` where there is none before it is used, or the name is taken.
 */
export function createCredentials(
  name: string,
  url: string,
  credentials: NonNullable<UpstreamConfig['credentials']>,
): readonly LabelledCredentials[] {
  // What `docker login` and the helpers file Docker Hub's credentials under.
  const server = name === 'docker.io' ? 'https://index.docker.io/v1/' : new URL(url).host;
  const labels = new Set<string>();
  return [credentials].flat().map((entry: CredentialsConfig, index) => {
    const user = 'username' in entry ? entry.username : undefined;
    const label = user === undefined || labels.has(user) ? `credential-${index + 1}` : user;
    labels.add(label);
    return { label, source: createSource(entry, server) };
  });
}

function createSource(credentials: CredentialsConfig, server: string): CredentialSource {
  if ('helper' in credentials) {
    return new CachedCredentials(new HelperCredentials({ name: credentials.helper, server }));
  }
  if ('docker_config' in credentials) {
    return new DockerConfigCredentials({ path: credentials.docker_config, registry: server });
  }
  if ('password_file' in credentials) {
    return new PasswordFileCredentials(credentials.username, credentials.password_file);
  }
  return new StaticCredentials(credentials.username, credentials.password);
}
