import { setTimeout as delay } from 'node:timers/promises';
import { RegistryError } from '../oci/errors.ts';

/** A catalog whose shared cache can be filled from the record. */
export interface RebuildableCatalog {
  /** Whether the shared cache is in use; true where there is none to be used. */
  readonly cacheUp: boolean;
  /** Whether the shared cache lacked it, for each piece that is on record; undefined where it could not be told. */
  rebuild(): AsyncGenerator<boolean | undefined>;
}

/** What a rebuild tells while it goes on; the result comes last. */
export interface RebuildEvent {
  readonly event: 'progress' | 'result';
  /** Tags and memberships that were looked at. */
  readonly entries: number;
  /** Those that the shared cache lacked, or had older. */
  readonly restored: number;
  readonly seconds: number;
}

/** Entries after which others get their turn, and for how long, in milliseconds. */
const batch = 200;
const pause = 20;
/** How often progress is told, in milliseconds. */
const interval = 1_000;

/**
 * Fills the shared cache from the record, as after Redis was flushed. Never needed: what is missing
 * there is put back when it is next asked for. At most ten thousand entries a second.
 * @throws RegistryError UNAVAILABLE where the shared cache cannot be reached
 */
export async function* rebuildCatalog(
  catalog: RebuildableCatalog,
  signal: AbortSignal,
): AsyncGenerator<RebuildEvent, void, undefined> {
  const started = performance.now();
  let told = started;
  let entries = 0;
  let restored = 0;
  const event = (kind: RebuildEvent['event']): RebuildEvent => ({
    event: kind,
    entries,
    restored,
    seconds: Math.round(performance.now() - started) / 1000,
  });
  for await (const isRestored of catalog.rebuild()) {
    if (!catalog.cacheUp) throw new RegistryError('UNAVAILABLE', 'Redis is out of reach');
    entries++;
    if (isRestored === true) restored++;
    if (entries % batch === 0) await delay(pause, undefined, { signal });
    if (performance.now() - told < interval) continue;
    told = performance.now();
    yield event('progress');
  }
  if (!catalog.cacheUp) throw new RegistryError('UNAVAILABLE', 'Redis is out of reach');
  yield event('result');
}
