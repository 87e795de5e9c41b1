import type { Config } from '../config/config.ts';
import { BlobFiller } from '../registry/fill-blob.ts';
import { usualPatience } from '../warm/patience.ts';
import { Warmer } from '../warm/warmer.ts';
import type { WarmerOptions } from '../warm/warmer-options.ts';
import type { PullThrough } from './pull-through.ts';

/** The warmer over what pulls images through: their downloads are the same as clients'. */
export function createWarmer(
  { storage }: Config,
  { upstreams, catalog, store, content, pins }: PullThrough,
  { hosted, observer }: Pick<WarmerOptions, 'hosted' | 'observer'>,
): Warmer {
  return new Warmer({
    table: upstreams.table,
    catalog,
    store,
    content,
    filler: new BlobFiller(content.blobs),
    hosted,
    pin: async (pin) => {
      await pins.add(pin);
      store.evictor.reconsider();
    },
    maxSize: storage.max_size,
    patience: usualPatience,
    observer,
  });
}
