import type { Config } from '../config/config.ts';
import { formatListen, isLoopback } from '../config/listen.ts';
import type { Logger } from '../telemetry/logger.ts';
import { hostedNames } from './hosted-names.ts';

type DoorConfig = Pick<Config, 'hosted' | 'server' | 'auth'>;

/** Whether everybody who can reach the registry from another machine may push to it and delete there. */
export function isOpenToPush({ hosted, server, auth }: DoorConfig): boolean {
  if (auth !== undefined) return false;
  const asksClients = server.tls?.client_ca !== undefined;
  return hosted.repositories.length > 0 && !asksClients && !isLoopback(server.listen);
}

/** Says so in the log where it is so. */
export function warnOfOpenDoor(config: DoorConfig, logger: Pick<Logger, 'warn'>): void {
  if (!isOpenToPush(config)) return;
  logger.warn(
    'everybody who can reach this registry may push to it and delete from it: there is no auth in the configuration',
    { listen: formatListen(config.server.listen), hosted: config.hosted.repositories },
  );
}

type NamesConfig = Pick<Config, 'hosted' | 'default_upstream'>;

const anyNameOfHub = 'some-namespace-of-the-hub/some-image';

/**
 * Whether what is pushed may stand in the place of any image of Docker Hub's users: a dockerd whose
 * mirror this is asks by the name alone.
 */
export function isOverHub(config: NamesConfig): boolean {
  return config.default_upstream === 'docker.io' && hostedNames(config)?.(anyNameOfHub) === true;
}

/** Says so in the log where it is so. */
export function warnOfShadows(config: NamesConfig, logger: Pick<Logger, 'warn'>): void {
  if (!isOverHub(config)) return;
  logger.warn(
    'hosted.repositories takes the names of all namespaces of docker.io: a dockerd whose mirror this is gets what was pushed here in their place',
    { hosted: config.hosted.repositories },
  );
}
