import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { referrersTag } from '../../src/oci/reference.ts';
import { ReferrerListService } from '../../src/registry/list-referrers.ts';
import { createScaffold, type Scaffold } from '../support/scaffold.ts';

const subject = digestOf(Buffer.from('subject'));
const signature = {
  mediaType: mediaTypes.ociManifest,
  digest: digestOf(Buffer.from('signature')),
  size: 9,
};

let scaffold: Scaffold;
let referrers: ReferrerListService;
beforeEach(async () => {
  scaffold = await createScaffold();
  const { signal } = new AbortController();
  referrers = new ReferrerListService(scaffold.catalog, scaffold.manifests, signal);
});
afterEach(() => scaffold.dispose());

const files = async (): Promise<number> => {
  const found = await readdir(scaffold.layout.repositories, {
    recursive: true,
    withFileTypes: true,
  });
  return found.filter((entry) => entry.isFile()).length;
};

it.each([
  ['by its referrers API', []],
  ['by the lack of a tag', undefined],
])('writes no file where the upstream says %s that there are none', async (_how, listed) => {
  const { hub, route } = scaffold;
  hub.referrers = listed;
  for (let index = 0; index < 20; index++) {
    const answer = await referrers.list(route(`nobody/none${index}`), digestOf(Buffer.of(index)));
    expect(answer.manifests).toEqual([]);
  }
  expect(await files()).toBe(0);
});

it('believes for a while that there are none', async () => {
  const { hub, route } = scaffold;
  hub.referrers = [];
  await referrers.list(route('team/app'), subject);
  const again = await referrers.list(route('team/app'), subject);
  expect(again).toEqual({ manifests: [], outcome: { kind: 'hit' } });
  expect(hub.count('listReferrers')).toBe(1);
});

it('keeps what there is on record, and what became of it', async () => {
  const { hub, route, catalog } = scaffold;
  const { key } = route('team/app');
  hub.referrers = [signature];
  await referrers.list(route('team/app'), subject);
  const name = `referrers-${subject.replace(':', '-')}`;
  expect(await catalog.listing(key, name)).toMatchObject({ value: [signature] });
  expect(await catalog.linked(key, 'manifests', signature.digest)).toMatchObject({ claimed: true });
  await catalog.putListing(key, name, { value: [signature], fetchedAt: 0 });
  hub.referrers = [];
  expect((await referrers.list(route('team/app'), subject)).manifests).toEqual([]);
  expect(await catalog.listing(key, name)).toMatchObject({ value: [] });
});

it('asks again where its list comes from a time ahead, as after the clock was set back', async () => {
  const { hub, route, catalog } = scaffold;
  const fetchedAt = Date.now() + 86_400_000;
  const name = `referrers-${subject.replace(':', '-')}`;
  await catalog.putListing(route('team/app').key, name, { value: [], fetchedAt });
  hub.referrers = [signature];
  expect((await referrers.list(route('team/app'), subject)).manifests).toEqual([signature]);
});

describe('while the upstream is offline by the configuration', () => {
  const key = `referrers-${subject.replace(':', '-')}`;

  it('lists what is on record, however old, and nothing of what nobody has ever listed', async () => {
    const { hub, offlineRoute, catalog } = scaffold;
    const route = offlineRoute('team/app');
    expect(await referrers.list(route, subject)).toEqual({
      manifests: [],
      outcome: { kind: 'hit' },
    });
    await catalog.putListing(route.key, key, { value: [signature], fetchedAt: 0 });
    expect(await referrers.list(route, subject)).toEqual({
      manifests: [signature],
      outcome: { kind: 'hit' },
    });
    expect(hub.calls).toEqual([]);
  });

  it('finds them under the tag that stands in for the API', async () => {
    const { hub, route, offlineRoute, manifests } = scaffold;
    const index = { mediaType: mediaTypes.ociIndex, manifests: [signature] };
    hub.addManifest('team/app', referrersTag(subject), index);
    await manifests.get(route('team/app'), referrersTag(subject));
    const answer = await referrers.list(offlineRoute('team/app'), subject);
    expect(answer.manifests).toEqual([signature]);
  });
});
