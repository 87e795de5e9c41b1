import type { Config } from '../config/config.ts';
import type { PlaceNames } from '../registry/image-place.ts';
import { hostedNames } from './hosted-names.ts';
import { upstreamNames } from './upstream-names.ts';

/** Which names lead where. */
export function placeNames(config: Config): PlaceNames {
  return { ...upstreamNames(config), isHosted: hostedNames(config) };
}
