import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Digest } from '../../src/oci/digest.ts';
import { ContentCutShort } from '../../src/store/damage.ts';
import { FakeReader } from '../support/fake-reader.ts';
import { get } from '../support/http-get.ts';
import { startRegistryApp, type RegistryApp } from '../support/registry-app.ts';
import { waitFor } from '../support/wait-for.ts';

const content = randomBytes(3_000_000);
const eio = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });

describe('a stored blob that fails while it is sent', () => {
  let app: RegistryApp;
  let digest: Digest;
  let url: string;
  beforeEach(async () => {
    app = await startRegistryApp();
    digest = app.hub.addBlob('team/app', content);
    url = `${app.url}/v2/team/app/blobs/${digest}`;
    await get(url);
    await app.downloads.running(digest)?.ended;
  });
  afterEach(() => app.dispose());

  it.each([
    ['at its beginning', eio, 0],
    ['in its middle', eio, 1_000_000],
    ['since it was cut short', new ContentCutShort(), 1_000_000],
  ])('%s breaks the connection, and is right the next time', async (_name, failure, position) => {
    const reader = new FakeReader(content, position);
    reader.fileId = '5:7';
    reader.fail(failure);
    jest.spyOn(app.store, 'open').mockResolvedValueOnce(reader);
    const broken = await get(url);
    expect(broken).toMatchObject({ complete: false });
    expect(broken.received).toBeLessThanOrEqual(position);
    await waitFor('the blob to be withdrawn', () => app.withdrawn.length === 1);
    expect(app.withdrawn).toEqual([
      { digest, finder: 'serving', detail: failure.message, file: '5:7' },
    ]);
    await waitFor('it to be gone', async () => (await app.store.stat(digest)) === undefined);
    expect(await get(url)).toMatchObject({ status: 200, complete: true, digest });
    expect(app.hub.count('fetchBlob')).toBe(2);
  });

  it('stays where it is when the failure is not the blob’s', async () => {
    const reader = new FakeReader(content, 1_000_000);
    reader.fileId = '5:7';
    reader.fail(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }));
    jest.spyOn(app.store, 'open').mockResolvedValueOnce(reader);
    expect(await get(url)).toMatchObject({ complete: false });
    await waitFor('the failure to be told', () => app.failed.length === 1);
    expect(app.withdrawn).toEqual([]);
    expect(await get(url)).toMatchObject({ complete: true, digest });
    expect(app.hub.count('fetchBlob')).toBe(1);
  });
});
