import type { CatalogObserver } from './catalog-observer.ts';
import { KeyvCatalog } from './keyv-catalog.ts';
import { createMemory } from './memory.ts';
import { CatalogRecord } from './record.ts';
import { connectRedis, type RedisOptions } from './redis.ts';
import { SharedCache } from './shared-cache.ts';

export interface SharedCatalogOptions extends RedisOptions {
  /** Set before every key, so that several installations can use one Redis; `baleen` where absent. */
  readonly keyPrefix?: string | undefined;
  /** How long Redis may take to answer, in milliseconds; 100 where absent. */
  readonly timeout?: number | undefined;
}

export interface CatalogOptions {
  /** The versioned data folder, `<data>/v1`. */
  readonly directory: string;
  /** Left out: this process shares what it knows with nobody. */
  readonly redis?: SharedCatalogOptions | undefined;
  /**
   * What the record refuses is not known, and what it cannot read is not absent; false where absent.
   */
  readonly onlyRecorded?: boolean | undefined;
  readonly observer: CatalogObserver;
}

/** How long the start waits for Redis, in milliseconds; it is used whenever it comes. */
const startPatience = 500;

/**
 * Makes the catalog of a data folder. Where Redis is configured and does not answer, that is
 * reported, and the catalog works without it until it does.
 * @throws RegistryError UNKNOWN where the URL of Redis is malformed
 */
export async function createCatalog(options: CatalogOptions): Promise<KeyvCatalog> {
  const { directory, redis, onlyRecorded, observer } = options;
  const record = new CatalogRecord({ directory, observer, strict: onlyRecorded });
  const memory = createMemory();
  if (redis === undefined) return new KeyvCatalog({ record, onlyRecorded, memory, observer });

  const { keyPrefix = 'baleen', timeout = 100, url, password } = redis;
  const attempted = Promise.withResolvers<void>();
  let shared: SharedCache | undefined;
  const connection = await connectRedis(
    { url, password },
    {
      ready: () => void shared?.probe().finally(attempted.resolve),
      failed: (error) => {
        shared?.fail('shared.connect', error);
        attempted.resolve();
      },
      damaged: (error) => observer.error({ operation: 'shared.decode', error }),
    },
  );
  shared = new SharedCache({ store: connection.store, prefix: keyPrefix, timeout, observer });
  const patience = setTimeout(attempted.resolve, startPatience);
  await attempted.promise;
  clearTimeout(patience);
  if (!shared.up) observer.up(false);
  const disconnect = (): Promise<void> => connection.close();
  return new KeyvCatalog({ record, onlyRecorded, memory, shared, observer, disconnect });
}
