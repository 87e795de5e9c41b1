import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ReferrerRecord } from '../../src/catalog/referrer-record.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf, splitDigest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { digest, repository } from '../contract/catalog.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { RecordingObserver } from './support.ts';

const app = repository('_hosted', 'local/app');
const subject = digest('subject');

function referrer(text: string, more: object = {}): Descriptor {
  return { mediaType: mediaTypes.ociManifest, digest: digest(text), size: 5, ...more };
}

function sorted(...referrers: Descriptor[]): Descriptor[] {
  return referrers.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}

describe('the record of referrers', () => {
  let temporary: TempDir;
  let observer: RecordingObserver;
  let open: () => ReferrerRecord;
  beforeEach(() => {
    temporary = tempDir('referrers');
    observer = new RecordingObserver();
    open = () => new ReferrerRecord({ directory: temporary.path, observer });
  });
  afterEach(async () => {
    await temporary[Symbol.asyncDispose]();
  });

  it('lists what was added, each once, in the order of the digests, also after a restart', async () => {
    const record = open();
    expect(await record.list(app, subject)).toEqual([]);
    const all = ['a', 'b', 'c', 'd'].map((text) =>
      referrer(text, { artifactType: 'a/b', annotations: { text } }),
    );
    await Promise.all(all.map((one) => record.add(app, subject, one)));
    await record.add(app, subject, all[0]!);
    await record.add(app, digest('another'), referrer('e'));
    expect(await record.list(app, subject)).toEqual(sorted(...all));
    expect(await open().list(app, subject)).toEqual(sorted(...all));
  });

  it('forgets what was removed, and leaves no empty folder', async () => {
    const record = open();
    await record.add(app, subject, referrer('a'));
    await record.add(app, subject, referrer('b'));
    expect(await record.list(app, subject)).toHaveLength(2);
    expect(await record.remove(app, subject, digest('a'))).toBe(true);
    expect(await record.remove(app, subject, digest('a'))).toBe(false);
    expect(await record.list(app, subject)).toEqual([referrer('b')]);
    expect(await record.remove(app, subject, digest('b'))).toBe(true);
    expect(await record.list(app, subject)).toEqual([]);
    const folder = join(temporary.path, 'repositories', app, '_referrers', 'sha256');
    expect(await readdir(folder)).toEqual([]);
  });

  it('finds the subjects whose digests begin so', async () => {
    const record = open();
    const long = digestOf(Buffer.from('long'), 'sha512');
    await record.add(app, long, referrer('a'));
    await record.add(app, subject, referrer('a'));
    const { hex } = splitDigest(long);
    expect(await record.subjects(app, 'sha512', hex.slice(0, 64))).toEqual([long]);
    expect(await record.subjects(app, 'sha512', '0'.repeat(64))).toEqual([]);
    expect(await record.subjects(app, 'sha256', '')).toEqual([subject]);
    expect(await record.subjects(repository('_hosted', 'other'), 'sha256', '')).toEqual([]);
  });

  it('reports a file that says nothing, and passes it over', async () => {
    await open().add(app, subject, referrer('a'));
    const folder = join(
      temporary.path,
      'repositories',
      app,
      '_referrers',
      subject.replace(':', '/'),
    );
    await writeFile(join(folder, digest('b').replace(':', '-')), '{"digest":');
    await writeFile(join(folder, digest('c').replace(':', '-')), JSON.stringify(referrer('d')));
    await writeFile(join(folder, '.swp'), 'x');
    expect(await open().list(app, subject)).toEqual([referrer('a')]);
    expect(observer.operations).toEqual(['record.read']);
    expect(observer.errors).toHaveLength(2);
  });

  it('fails where the disk does, instead of saying that there is none', async () => {
    const record = open();
    const subjects = join(temporary.path, 'repositories', app, '_referrers', 'sha256');
    await mkdir(subjects, { recursive: true });
    const folder = join(subjects, splitDigest(subject).hex);
    await symlink(folder, folder);
    const refused = expect.objectContaining({ code: 'UNAVAILABLE' });
    await expect(record.list(app, subject)).rejects.toEqual(refused);
    await expect(record.add(app, subject, referrer('a'))).rejects.toEqual(refused);
    await rm(folder);
    await record.add(app, subject, referrer('a'));
    expect(await record.list(app, subject)).toEqual([referrer('a')]);
  });

  it('never shows a list from before a change once the change is made', async () => {
    const record = open();
    for (let round = 0; round < 50; round += 1) {
      const listing = record.list(app, subject);
      await record.add(app, subject, referrer(String(round)));
      await listing;
      expect(await record.list(app, subject)).toHaveLength(round + 1);
    }
  });
});
