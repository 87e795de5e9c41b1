import picomatch from 'picomatch';
import { parseImageReference } from '../oci/image-reference.ts';
import { canNameRepository } from '../oci/repository-name.ts';
import type { ConfigPath, Fault } from './config-error.ts';
import { didYouMean } from './near-match.ts';
import { asMapping } from './schema-tree.ts';
import { texts } from './texts.ts';
import { builtInAliases } from './well-known.ts';

type Mapping = Readonly<Record<string, unknown>>;

/** Faults of the images of schedules: those that could never be fetched. */
export function warmFaults(raw: Mapping): Fault[] {
  const faultOf = imageFaults(raw);
  const schedules = asMapping(asMapping(raw['warm'])['schedules']);
  return Object.entries(schedules).flatMap(([name, schedule]) =>
    texts(asMapping(schedule)['images']).flatMap(([place, image]): Fault[] => {
      const message = faultOf(image);
      const path: ConfigPath = ['warm', 'schedules', name, 'images', place];
      return message === undefined ? [] : [{ path, message }];
    }),
  );
}

/** What is wrong with an image, whose registry has to be one of the upstreams. */
function imageFaults(raw: Mapping): (image: string) => string | undefined {
  const upstreams = asMapping(raw['upstreams']);
  const names = Object.entries(upstreams).flatMap(([name, upstream]) => [
    name,
    ...builtInAliases(name),
    ...texts(asMapping(upstream)['aliases']).map(([, alias]) => alias),
  ]);
  const given = raw['default_upstream'];
  const hasDefault = given === undefined ? names.includes('docker.io') : given !== 'none';
  const hosted = texts(asMapping(raw['hosted'])['repositories']).map(([, glob]) => glob);
  const isHosted = hosted.length === 0 ? () => false : picomatch(hosted);
  return (image) => {
    const name = nameOf(image);
    if (name === undefined) {
      return 'expected an image such as docker.io/library/nginx:1.27; its tag may be a pattern';
    }
    const registry = name.slice(0, Math.max(0, name.indexOf('/')));
    if (names.includes(registry) || isHosted(name)) return undefined;
    if (!/[.:]|^localhost$/.test(registry)) {
      return hasDefault ? undefined : 'names no upstream, and there is no default_upstream';
    }
    return `its registry is none of the upstreams${didYouMean(registry, names)}`;
  };
}

/** A tag with wildcards in it (`warm/tag-pattern`). */
const pattern = /:[^/@:]*[*?[{][^/@:]*$/;

/** The name of the repository; undefined for what is no image. */
function nameOf(image: string): string | undefined {
  try {
    const { name } = parseImageReference(image.replace(pattern, ''));
    return canNameRepository(name) ? name : undefined;
  } catch {
    return undefined;
  }
}
