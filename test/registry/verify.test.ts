import { truncate } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { Verification, type VerifyEvent } from '../../src/registry/verify.ts';
import { Quarantine } from '../../src/store/quarantine.ts';
import { createWithdraw } from '../../src/store/withdraw.ts';
import { createScaffold, type Scaffold } from '../support/scaffold.ts';

let scaffold: Scaffold;
beforeEach(async () => {
  scaffold = await createScaffold();
});
afterEach(() => scaffold.dispose());

it('never takes the size of a file for right that was cut short since it was hashed', async () => {
  const { store, catalog, layout, route } = scaffold;
  const { key } = route('team/app');
  const bytes = Buffer.alloc(10_000, 'x');
  const digest = digestOf(bytes);
  await store.put(digest, bytes);
  await catalog.link(key, 'blobs', [{ digest, mediaType: 'x/y', size: bytes.length }]);
  const remove = (each: typeof digest): Promise<boolean> => store.delete(each);
  const quarantine = new Quarantine({ layout, limit: 1_000_000, remove });
  const withdraw = createWithdraw({
    quarantine,
    forget: () => undefined,
    observer: { quarantined: () => undefined, notQuarantined: () => undefined },
  });
  const parameters = { repair: true, rate: Infinity };
  const { signal } = new AbortController();
  const options = { layout, catalog, quarantine, withdraw };
  const seen: VerifyEvent[] = [];
  for await (const event of new Verification(options, parameters, signal).run()) {
    seen.push(event);
    const areBlobsDone = event.event === 'step' && event.step === 'blobs';
    if (areBlobsDone) await truncate(layout.blob(digest), 5_000);
  }
  expect((await catalog.linked(key, 'blobs', digest))?.size).toBe(bytes.length);
  expect(await store.stat(digest)).toBeUndefined();
  expect(seen).toContainEqual(
    expect.objectContaining({ event: 'problem', kind: 'wrong', done: 'quarantined' }),
  );
});
