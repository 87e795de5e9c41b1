import type { Config } from '../config/config.ts';
import { formatListen } from '../config/listen.ts';
import { warnOfOpenDoor, warnOfShadows } from '../service/open-door.ts';
import type { Logger } from '../telemetry/logger.ts';
import { banner, type BannerFacts } from './banner.ts';

/**
 * Says that Baleen serves: in the log, and at length where a person reads it.
 * @param config with the addresses really listened on
 */
export function announce(
  config: Config,
  facts: BannerFacts,
  to: { readonly logger: Pick<Logger, 'info' | 'warn'>; readonly write: (text: string) => void },
): void {
  if (config.log.format === 'pretty') to.write(banner(config, facts));
  const { server, operations, storage, upstreams, hosted } = config;
  const listen = formatListen(server.listen);
  to.logger.info('serving', {
    version: facts.version,
    listen,
    operations: operations.listen && formatListen(operations.listen),
    directory: storage.directory,
    upstreams: Object.keys(upstreams),
    default_upstream: config.default_upstream,
    ...(hosted.repositories.length > 0 && { hosted: hosted.repositories }),
  });
  warnOfOpenDoor(config, to.logger);
  warnOfShadows(config, to.logger);
}
