import type { Place } from './world.ts';

/** One way to write a repository's name in a request. */
export interface Door {
  readonly place: Place;
  /** In front of `/v2/`. */
  readonly prefix?: string;
  /** Behind it. */
  readonly name: string;
  readonly ns?: string;
  readonly host?: string;
}

/** Every way that leads to the image of a place. */
export const doors: readonly Door[] = [
  { place: 'open', name: 'local/open' },
  { place: 'closed', name: 'local/closed' },
  { place: 'closed', name: 'local/closed', host: 'localhost' },
  { place: 'public', name: 'library/whale' },
  { place: 'public', name: 'whale' },
  { place: 'public', name: 'docker.io/library/whale' },
  { place: 'public', name: 'index.docker.io/whale' },
  { place: 'public', name: 'library/whale', ns: 'docker.io' },
  { place: 'public', name: 'library/whale', prefix: '/docker.io' },
  { place: 'public', name: 'library/whale', host: 'hub.mirror' },
  // Not the hosted one of this name.
  { place: 'public', name: 'local/closed', ns: 'registry-1.docker.io' },
  { place: 'public', name: 'local/closed', host: 'hub.mirror' },
  { place: 'private', name: 'corp.example/team/app' },
  { place: 'private', name: 'corp.alias/team/app' },
  { place: 'private', name: 'team/app', ns: 'corp.example' },
  { place: 'private', name: 'team/app', ns: 'CORP.example' },
  { place: 'private', name: 'corp.example/team/app', ns: 'corp.example' },
  { place: 'private', name: 'team/app', prefix: '/corp.example' },
  { place: 'private', name: 'team/app', host: 'corp.mirror' },
  { place: 'private', name: 'team/app', host: 'Corp.Mirror' },
  { place: 'private', name: 'local/closed', ns: 'corp.example' },
  { place: 'private', name: 'corp.example/local/closed' },
];

/** How a token's scope has to name it: as the path has it, the prefix included. */
export function nameInScope({ prefix, name }: Door): string {
  return prefix === undefined ? name : `${prefix.slice(1)}/${name}`;
}

export function describeDoor({ prefix = '', name, ns, host }: Door): string {
  return [`${prefix}/v2/${name}`, ns && `ns=${ns}`, host && `Host: ${host}`]
    .filter(Boolean)
    .join(' ');
}
