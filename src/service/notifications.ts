import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import picomatch from 'picomatch';
import type { Config } from '../config/config.ts';
import type { EndpointConfig } from '../config/notifications-config.ts';
import { redactUrl } from '../config/url.ts';
import type { EndpointOptions } from '../events/endpoint.ts';
import { Notifications } from '../events/notifications.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createNotificationObserver } from '../telemetry/notification-observers.ts';
import { trusting } from '../lib/trust.ts';
import type { Layout } from '../store/layout.ts';
import type { Reloadable } from './reload.ts';

export interface LiveNotificationsOptions {
  readonly config: Config;
  readonly layout: Layout;
  readonly version: string;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** How long to wait after failures. Milliseconds. */
const backoff = { first: 1_000, longest: 120_000 };

/** The endpoints in force. */
export class LiveNotifications implements Reloadable {
  readonly events: Notifications;
  /** Host and port of this Baleen, as events name it. */
  address = '';
  readonly #userAgent: string;

  /** @throws as {@link prepare} */
  constructor({ config, layout, version, metrics, logger }: LiveNotificationsOptions) {
    this.#userAgent = `baleen/${version}`;
    const instanceID = randomUUID();
    this.events = new Notifications({
      folder: join(layout.root, 'events'),
      tmpDir: layout.temporary,
      source: () => ({ addr: this.address, instanceID }),
      observer: createNotificationObserver(metrics, logger),
    });
    metrics.notifications.observe(() => this.events.status());
    this.prepare(config)();
  }

  /** @throws where a `ca` cannot be read, or holds no certificate */
  prepare({ notifications }: Config): () => void {
    const wanted = Object.entries(notifications.endpoints).map(([name, endpoint]) =>
      endpointOptions(name, endpoint, this.#userAgent),
    );
    return () => this.events.configure(wanted);
  }

  /** `GET /api/notifications` */
  describe(): object {
    const endpoints = this.events.status().map((status) => ({
      name: status.name,
      url: redactUrl(status.url),
      queued: status.queued,
      bytes: status.bytes,
      oldest: time(status.oldest),
      delivered: status.delivered,
      dropped: status.dropped,
      failures: status.failures,
      last_failure: status.lastFailure ?? null,
      last_delivery: time(status.lastDelivery),
    }));
    return { endpoints };
  }
}

function time(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString();
}

function endpointOptions(
  name: string,
  endpoint: EndpointConfig,
  userAgent: string,
): EndpointOptions {
  const { url, headers, header_files, timeout, batch, queue_size, blobs, ca } = endpoint;
  return {
    name,
    url,
    headers,
    headerFiles: header_files,
    timeout,
    batch,
    queueSize: queue_size,
    trust: ca === undefined ? undefined : trusting(readFileSync(ca, 'utf8')),
    userAgent,
    backoff,
    filter: {
      actions: new Set(endpoint.events),
      matches: picomatch([...endpoint.repositories]),
      blobs,
    },
  };
}
