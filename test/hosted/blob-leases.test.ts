import { describe, expect, it } from '@jest/globals';
import { MemberFiles } from '../../src/catalog/member-files.ts';
import { CatalogRecord } from '../../src/catalog/record.ts';
import { BlobLeases } from '../../src/hosted/blob-leases.ts';
import { HostedLocks } from '../../src/hosted/hosted-locks.ts';
import { RecordingObserver } from '../catalog/support.ts';
import { digest, repository } from '../contract/catalog.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';

const app = repository('_hosted', 'local/app');
const layer = digest('layer');
const grace = 60_000;

describe('the lease of a blob', () => {
  const resources = testResources();

  /** A repository with the blob, linked so many milliseconds ago. */
  async function linked(age: number) {
    const directory = resources.use(tempDir('leases')).path;
    const record = new CatalogRecord({ directory, observer: new RecordingObserver() });
    const member = { digest: layer, mediaType: 'application/octet-stream', size: 1 };
    await record.putMembers(app, 'blobs', [member], Date.now() - age);
    const files = new MemberFiles(directory);
    const locks = new HostedLocks();
    const leases = new BlobLeases({ files, locks, grace: () => grace, refused() {} });
    const ageNow = async (): Promise<number> =>
      Date.now() - ((await files.time(app, 'blobs', layer)) ?? NaN);
    return { record, files, locks, leases, ageNow };
  }

  it('is not written again while most of it is left', async () => {
    const { leases, ageNow } = await linked(grace / 8);
    expect(await leases.renew(app, layer)).toBe(true);
    expect(await ageNow()).toBeGreaterThanOrEqual(grace / 8);
  });

  it('begins anew where less is left', async () => {
    const { leases, ageNow } = await linked(grace / 2);
    expect(await leases.renew(app, layer)).toBe(true);
    expect(await ageNow()).toBeLessThan(grace / 2);
  });

  it('may not be noted, as on a read-only disk, and the blob is there all the same', async () => {
    const { files, locks } = await linked(2 * grace);
    const refusal = new Error('EROFS');
    const stubborn = {
      time: files.time.bind(files),
      renew: () => Promise.reject(refusal),
    };
    const refusals: unknown[] = [];
    const refused = (error: unknown): void => void refusals.push(error);
    const leases = new BlobLeases({ files: stubborn, locks, grace: () => grace, refused });
    expect(await leases.renew(app, layer)).toBe(true);
    expect(refusals).toEqual([refusal]);
  });

  it('waits for who decides whether the blob goes, and tells what came of it', async () => {
    const { leases, locks, record } = await linked(2 * grace);
    const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
    const collecting = locks.withBlobs([layer], async () => {
      await decided;
      await record.deleteMember(app, 'blobs', layer);
    });
    const renewing = leases.renew(app, layer);
    decide();
    await collecting;
    expect(await renewing).toBe(false);
    expect(await leases.renew(app, layer)).toBe(false);
  });
});
