import picomatch from 'picomatch';
import type { Config } from '../config/config.ts';
import type { HostedNames } from '../registry/resolve-route.ts';

/** Which names are hosted; undefined where none are, so that nobody has to ask. */
export function hostedNames({ hosted }: Pick<Config, 'hosted'>): HostedNames | undefined {
  return hosted.repositories.length === 0 ? undefined : picomatch([...hosted.repositories]);
}

/** A name that is hosted, to show how it is done; undefined where nothing is. */
export function exampleName(config: Pick<Config, 'hosted'>): string | undefined {
  const isHosted = hostedNames(config);
  const names = config.hosted.repositories.map((glob) => glob.replaceAll(/\*+/g, 'myapp'));
  return isHosted && names.find((name) => /^[a-z0-9._/-]+$/.test(name) && isHosted(name));
}
