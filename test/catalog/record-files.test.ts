import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { placeOf } from '../../src/catalog/record-files.ts';
import { RecordVerification, type RecordFault } from '../../src/catalog/record-verification.ts';
import { digest } from '../contract/catalog.ts';
import { tempDir } from '../support/temp-dir.ts';

const hex = digest('a').slice('sha256:'.length);

describe('the place of a file in the record', () => {
  const repository = 'docker.io/library/alpine';
  it.each([
    [`${repository}/_tags/_latest`, { repository, kind: 'tag', tag: '_latest' }],
    [
      `${repository}/_manifests/sha256/${hex}`,
      { repository, kind: 'manifests', digest: digest('a') },
    ],
    [
      'a:5000/b/_blobs/sha256/' + hex,
      { repository: 'a:5000/b', kind: 'blobs', digest: digest('a') },
    ],
    [`${repository}/_listings/tags.json`, { repository, kind: 'listing', key: 'tags' }],
    [`${repository}/_deleted/latest`, { repository, kind: 'deleted' }],
    [`${repository}/_pins/v1`, { repository, kind: 'pin' }],
    [`${repository}/_pins/@sha256-${hex}`, { repository, kind: 'pin' }],
    [`${repository}/_pins/@sha256-1`, undefined],
    [`${repository}/_referrers/sha256/${hex}/sha256-${hex}`, { repository, kind: 'referrer' }],
    [`${repository}/_referrers/sha256/${hex}/.swp`, undefined],
    [`${repository}/_referrers/sha256/${hex}`, undefined],
    [`${repository}/_tags/.latest.swp`, undefined],
    [`${repository}/_tags/a/b`, undefined],
    [`${repository}/_tags`, undefined],
    [`${repository}/_manifests/${hex}`, undefined],
    [`${repository}/_manifests/sha256/${hex}/more`, undefined],
    [`${repository}/_listings/tags`, undefined],
    [`${repository}/_other/tags`, undefined],
    [`${repository}/notes.txt`, undefined],
    ['docker.io/_tags/latest', undefined],
    ['docker.io/UPPER/_tags/latest', undefined],
    ['README', undefined],
  ])('of %s is %j', (name, place) => {
    expect(placeOf(name)).toEqual(place);
  });
});

describe('the verification of the record', () => {
  it('tells each file that says nothing, or another size than what is stored has', async () => {
    await using folder = tempDir('record');
    const repository = join(folder.path, 'repositories/docker.io/library/alpine');
    const write = async (name: string, text: string): Promise<void> => {
      await mkdir(join(repository, name, '..'), { recursive: true });
      await writeFile(join(repository, name), text);
    };
    const tag = (size: number): string =>
      JSON.stringify({ digest: digest('a'), mediaType: 'x/y', size });
    await write('_tags/good', tag(7));
    await write(
      '_tags/elsewhere',
      JSON.stringify({ digest: digest('b'), mediaType: 'x/y', size: 9 }),
    );
    await write('_tags/other-size', tag(8));
    await write('_tags/torn', tag(7).slice(0, 20));
    await write('_tags/empty', '');
    await write('_tags/.hidden', tag(7));
    await write(`_blobs/sha256/${hex}`, '{"mediaType":"x/y"}');
    await write(`_manifests/sha256/${hex}`, '{"mediaType":5}');
    await write('_listings/tags.json', '[]');
    await write('_deleted/gone', '');

    const verification = new RecordVerification({
      directory: folder.path,
      sizeOf: (asked) => Promise.resolve(asked === digest('a') ? 7 : undefined),
    });
    const faults: RecordFault[] = [];
    let files = 0;
    for await (const fault of verification.run()) {
      files++;
      if (fault !== undefined) faults.push(fault);
    }
    expect(files).toBe(10);
    expect(faults.map(({ path, kind }) => [path.slice(repository.length + 1), kind])).toEqual([
      ['_listings/tags.json', 'malformed'],
      [`_manifests/sha256/${hex}`, 'malformed'],
      ['_tags/.hidden', 'foreign'],
      ['_tags/empty', 'malformed'],
      ['_tags/other-size', 'mismatch'],
      ['_tags/torn', 'malformed'],
    ]);
    expect(faults.map(({ detail }) => detail)).toContain(
      'it says 8 bytes, and what is stored has 7',
    );
    expect(faults.map(({ detail }) => detail)).toContain('it is not JSON');
  });
});
