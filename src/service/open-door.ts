import type { Config } from '../config/config.ts';
import { formatListen, isLoopback } from '../config/listen.ts';
import type { Logger } from '../telemetry/logger.ts';

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
