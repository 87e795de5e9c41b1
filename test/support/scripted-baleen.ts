import { Baleen, type Settings } from './baleen.ts';
import type { ScriptedUpstream } from './scripted-upstream.ts';

/** Settings that make a scripted upstream docker.io, with deadlines short enough to be waited for. */
export function dockerHubScripted(
  upstream: ScriptedUpstream,
  overrides: Readonly<Record<string, unknown>> = {},
): Settings {
  const { token, basic } = upstream.options;
  const logins = [token?.credentials ?? basic ?? []].flat().map((login) => {
    const [username, password] = login.split(':');
    return { username, password };
  });
  return {
    upstreams: {
      'docker.io': {
        url: upstream.url,
        ...(logins.length > 0 && { credentials: logins.length > 1 ? logins : logins[0] }),
        timeouts: {
          connect: '1s',
          headers: '1s',
          idle: '1s',
          token: '1s',
          revalidate: '500ms',
          resume: '5s',
        },
        tag_ttl: { edge: '0s', default: '1h' },
        negative_ttl: '0s',
        ...overrides,
      },
    },
    default_upstream: 'docker.io',
  };
}

/** Starts Baleen before a scripted upstream. */
export async function baleenBefore(
  upstream: ScriptedUpstream,
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<Baleen> {
  return Baleen.start(dockerHubScripted(upstream, overrides));
}
