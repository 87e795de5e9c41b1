import { mkdir } from 'node:fs/promises';
import { CachedPart } from '../bundle/cached-part.ts';
import type { ImportEvent } from '../bundle/import-event.ts';
import type { Trust } from '../bundle/trust.ts';
import { createCatalog } from '../catalog/create-catalog.ts';
import type { CatalogObserver } from '../catalog/catalog-observer.ts';
import { PinRecord } from '../catalog/pin-record.ts';
import type { Config } from '../config/config.ts';
import { SignOfLife } from '../lib/sign-of-life.ts';
import { pinnedDigests } from '../registry/pinned.ts';
import { Layout } from '../store/layout.ts';
import { adoptImages, type AdoptImagesParameters } from './adopt-images.ts';
import { openHostedWorkbench, signFile } from './hosted-workbench.ts';
import { placeNames } from './place-names.ts';
import { redisOptions } from './redis-options.ts';
import { inspectStore } from './store.ts';

/**
 * Does in this process what the service does for `POST /api/import`, for who holds the lock of the data
 * directory. Nobody is notified: what tells of events is the service's.
 * @param hasHosted whether something belongs to hosted repositories
 */
export async function* importDirectly(
  config: Config,
  parameters: AdoptImagesParameters & { readonly hasHosted: boolean },
  trust: Trust,
  observer: CatalogObserver,
): AsyncGenerator<ImportEvent> {
  const { directory } = config.storage;
  const layout = new Layout(directory);
  const pushed = new Layout(directory, 'hosted');
  await makeFolders(layout);
  if (parameters.hasHosted) await makeFolders(pushed);
  await using stack = new AsyncDisposableStack();
  // A collection that runs without a service looks for it, and leaves what was pushed alone.
  const sign = parameters.hasHosted
    ? await SignOfLife.begin(signFile(pushed), 'import', pushed.temporary)
    : undefined;
  stack.defer(async () => sign?.end());
  const store = await inspectStore(config);
  stack.defer(() => store.close());
  const catalog = await createCatalog({
    directory: layout.root,
    redis: redisOptions(config),
    observer,
  });
  stack.defer(() => catalog.close());
  const hosted = stack.use(
    await openHostedWorkbench(config, observer, () => Promise.resolve()),
  ).adoption;
  const pins = new PinRecord(layout.root);
  store.evictor.protect(() => pinnedDigests(pins, catalog, store));
  await store.count(new AbortController().signal);
  const put = ({ digest, bytes }: { digest: Parameters<typeof store.put>[0]; bytes: Buffer }) =>
    store.put(digest, bytes);
  yield* adoptImages(
    {
      root: layout.root,
      parts: { cached: new CachedPart({ layout, store, catalog, put }), hosted },
      names: placeNames(config),
      trust,
      isOpen: config.auth === undefined,
      pins,
      evictor: store.evictor,
      adopted: () => undefined,
    },
    parameters,
  );
}

async function makeFolders({ temporary, blobs, repositories }: Layout): Promise<void> {
  for (const folder of [temporary, blobs, repositories]) await mkdir(folder, { recursive: true });
}
