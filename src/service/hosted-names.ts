import picomatch from 'picomatch';
import type { Config } from '../config/config.ts';
import type { HostedNames } from '../registry/resolve-route.ts';

/** Which names are hosted; undefined where none are, so that nobody has to ask. */
export function hostedNames({ hosted }: Config): HostedNames | undefined {
  return hosted.repositories.length === 0 ? undefined : picomatch([...hosted.repositories]);
}
