import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { TagListService } from '../../src/registry/list-tags.ts';
import { createScaffold, type Scaffold } from '../support/scaffold.ts';

const app = 'team/app';

let scaffold: Scaffold;
let tags: TagListService;
beforeEach(async () => {
  scaffold = await createScaffold();
  tags = new TagListService(scaffold.catalog, new AbortController().signal);
  scaffold.hub.tags.set(app, ['v1']);
});
afterEach(() => scaffold.dispose());

it('believes a list for its time', async () => {
  const { hub, route } = scaffold;
  expect(await tags.list(route(app))).toMatchObject({ tags: ['v1'], outcome: { kind: 'miss' } });
  expect(await tags.list(route(app))).toEqual({ tags: ['v1'], outcome: { kind: 'hit' } });
  expect(hub.count('listTags')).toBe(1);
});

it('asks again where its list comes from a time ahead, as after the clock was set back', async () => {
  const { catalog, route } = scaffold;
  const fetchedAt = Date.now() + 86_400_000;
  await catalog.putListing(route(app).key, 'tags', { value: ['old'], fetchedAt });
  expect((await tags.list(route(app))).tags).toEqual(['v1']);
});

it('answers although its list cannot be kept', async () => {
  const { catalog, route } = scaffold;
  catalog.putListing = () => Promise.reject(new Error('the file system is read-only'));
  expect((await tags.list(route(app))).tags).toEqual(['v1']);
});

it('lists the tags that are here, and no others, while the upstream is offline by the configuration', async () => {
  const { hub, catalog, route, offlineRoute } = scaffold;
  const { key } = route(app);
  await expect(tags.list(offlineRoute(app))).rejects.toMatchObject({
    code: 'UPSTREAM_OFFLINE',
    toldAs: 'NAME_UNKNOWN',
    status: 404,
  });
  await catalog.putListing(key, 'tags', { value: ['v1', 'v2', 'v3'], fetchedAt: Date.now() });
  const digest = digestOf(Buffer.from('an image'));
  const record = { digest, mediaType: mediaTypes.ociManifest, size: 8, checkedAt: 0 };
  await catalog.putTag(key, 'v2' as Tag, record);
  expect(await tags.list(offlineRoute(app))).toEqual({ tags: ['v2'], outcome: { kind: 'hit' } });
  expect(hub.calls).toEqual([]);
});
