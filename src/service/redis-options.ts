import { readFileSync } from 'node:fs';
import type { SharedCatalogOptions } from '../catalog/create-catalog.ts';
import type { Config } from '../config/config.ts';

/** How to reach Redis, its password read from its file; undefined where none is configured. */
export function redisOptions({ catalog: { redis } }: Config): SharedCatalogOptions | undefined {
  if (redis === undefined) return undefined;
  const { url, password, password_file, key_prefix: keyPrefix, timeout } = redis;
  const secret =
    password_file === undefined ? password : readFileSync(password_file, 'utf8').trimEnd();
  return { url, password: secret, keyPrefix, timeout };
}
