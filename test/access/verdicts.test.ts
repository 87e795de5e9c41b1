import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { heldBy, type HoldPolicy } from '../../src/access/hold-policy.ts';
import type { Verdict } from '../../src/access/verdict.ts';
import { Verdicts } from '../../src/access/verdicts.ts';
import { digestOf, splitDigest, type Digest } from '../../src/oci/digest.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const digest = (name: string): Digest => digestOf(Buffer.from(name));
const index = digest('index');
const other = digest('other index');
const child = digest('child');

function verdict(of: Digest, more: Partial<Verdict> = {}): Verdict {
  const nothing = { reason: undefined, by: undefined, expires: undefined, covers: [] };
  return { digest: of, verdict: 'allow', at: 1_000, ...nothing, ...more };
}

let directory: TempDir;
let verdicts: Verdicts;
let notWritten: Digest[];

const open = () =>
  Verdicts.open({
    folder: join(directory.path, 'verdicts'),
    tmpDir: join(directory.path, 'tmp'),
    onNotWritten: (of) => notWritten.push(of),
  });
const fileOf = (of: Digest): string =>
  join(directory.path, 'verdicts', splitDigest(of).algorithm, splitDigest(of).hex);

beforeEach(async () => {
  directory = tempDir('verdicts');
  notWritten = [];
  verdicts = await open();
});

afterEach(async () => directory[Symbol.asyncDispose]());

const said = (of: Digest, now = 2_000): string | undefined => verdicts.of(of, now)?.verdict;

describe('what was said about images', () => {
  it('holds at once, and after a restart', async () => {
    const long = digestOf(Buffer.from('x'), 'sha512');
    const whole = verdict(child, {
      verdict: 'deny',
      reason: 'CVE-2026-1 in “libwhale”\n',
      by: 'trivy',
      at: 1_700_000_000_000,
      expires: 1_800_000_000_000,
    });
    await verdicts.put(whole);
    await verdicts.put(verdict(long));
    expect(verdicts.of(child, 1_750_000_000_000)).toEqual(whole);
    verdicts = await open();
    expect(verdicts.of(child, 1_750_000_000_000)).toEqual(whole);
    expect(said(long)).toBe('allow');
    expect(verdicts.size).toBe(2);
  });

  it('is one small file a digest, for people to read', async () => {
    await verdicts.put(verdict(child, { by: 'me' }));
    expect(JSON.parse(await readFile(fileOf(child), 'utf8'))).toEqual({
      digest: child,
      verdict: 'allow',
      by: 'me',
      at: '1970-01-01T00:00:01.000Z',
    });
    expect(await readdir(join(directory.path, 'tmp'))).toEqual([]);
  });

  it('replaces what was said before, and can be taken back', async () => {
    await verdicts.put(verdict(child));
    await verdicts.put(verdict(child, { verdict: 'deny' }));
    expect(said(child)).toBe('deny');
    expect(await verdicts.remove(child)).toBe(true);
    expect(await verdicts.remove(child)).toBe(false);
    expect(said(child)).toBeUndefined();
    verdicts = await open();
    expect(said(child)).toBeUndefined();
  });

  it('counts no more once it has expired', async () => {
    await verdicts.put(verdict(child, { expires: 5_000 }));
    expect(said(child, 4_999)).toBe('allow');
    expect(said(child, 5_000)).toBeUndefined();
    // The next start clears it away.
    expect((await open()).size).toBe(0);
    await expect(readFile(fileOf(child))).rejects.toThrow(/ENOENT/);
  });

  it('of an index holds for what it names, nested ones too', async () => {
    const inner = digest('inner index');
    await verdicts.put(verdict(index, { covers: [inner, digest('amd64')] }));
    expect(verdicts.hasOpened(index)).toBe(true);
    expect(verdicts.hasOpened(inner)).toBe(false);
    verdicts.cover(verdicts.of(inner, 0)!, inner, [child]);
    expect(said(child)).toBe('allow');
    await waitFor('the file', async () => (await readFile(fileOf(index), 'utf8')).includes(child));
    verdicts = await open();
    expect(said(child)).toBe('allow');
    await verdicts.remove(index);
    expect([said(index), said(inner), said(child)]).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    [
      'of itself comes before what was said of an index',
      { verdict: 'deny', at: 1 },
      {},
      {},
      'deny',
    ],
    [
      'of an expired kind gives way to that of an index',
      { verdict: 'deny', expires: 1 },
      {},
      {},
      'allow',
    ],
    [
      'of one of two indexes is a refusal',
      undefined,
      { at: 1 },
      { at: 2, verdict: 'deny' },
      'deny',
    ],
    ['of the earlier one is, too', undefined, { at: 3 }, { at: 2, verdict: 'deny' }, 'deny'],
    [
      'of an expired index does not hold',
      undefined,
      { at: 1 },
      { at: 2, verdict: 'deny', expires: 9 },
      'allow',
    ],
  ] as const)('%s', async (_what, own, first, second, expected) => {
    if (own !== undefined) await verdicts.put(verdict(child, own));
    await verdicts.put(verdict(index, { ...first, covers: [child] }));
    await verdicts.put(verdict(other, { ...second, covers: [child] }));
    expect(said(child)).toBe(expected);
    verdicts = await open();
    expect(said(child)).toBe(expected);
  });

  it('leaves an image to be judged itself where two indexes that name it disagree', async () => {
    const policy: HoldPolicy = {
      matches: () => true,
      onUnknown: 'deny',
      message: 'not yet scanned',
      exempt: new Set(),
    };
    await verdicts.put(verdict(index, { covers: [child] }));
    await verdicts.put(verdict(other, { verdict: 'deny', covers: [child] }));
    const disputed = verdicts.of(child, 0);
    expect(heldBy(policy, disputed)).toEqual({ kind: 'unknown', message: 'not yet scanned' });
    expect(heldBy({ ...policy, onUnknown: 'allow' }, disputed)).toMatchObject({ kind: 'denied' });
    await verdicts.put(verdict(child));
    expect(heldBy(policy, verdicts.of(child, 0))).toBeUndefined();
  });

  it('keeps what an index names when something else is said of it', async () => {
    await verdicts.put(verdict(index, { covers: [child] }));
    await verdicts.put(verdict(index, { verdict: 'deny' }));
    expect(said(child)).toBe('deny');
    verdicts = await open();
    expect(said(child)).toBe('deny');
  });

  it.each([['', '{"verdict":', '[]', 'null', '{"verdict":"perhaps"}', '\0\0\0\0']])(
    'counts as a refusal where its file is damaged: %j',
    async (text) => {
      await verdicts.put(verdict(child));
      await writeFile(fileOf(child), text);
      verdicts = await open();
      expect(verdicts.of(child, 0)).toMatchObject({
        verdict: 'deny',
        reason: expect.stringContaining('cannot be read'),
      });
    },
  );

  it('is not in force where the disk refuses it', async () => {
    await writeFile(join(directory.path, 'verdicts'), '');
    await expect(verdicts.put(verdict(child))).rejects.toThrow(/ENOTDIR|EEXIST/);
    expect(said(child)).toBeUndefined();
    await rm(join(directory.path, 'verdicts'));
    await verdicts.put(verdict(index));
    await rm(join(directory.path, 'verdicts'), { recursive: true });
    await writeFile(join(directory.path, 'verdicts'), '');
    verdicts.cover(verdicts.of(index, 0)!, index, [child]);
    expect(said(child)).toBe('allow');
    await waitFor('word of it', () => notWritten.length === 1);
  });

  it('loses nothing where much is said of one image at once', async () => {
    const words = Array.from({ length: 20 }, (_, n) => verdict(child, { at: n, by: String(n) }));
    await Promise.all(words.map((each) => verdicts.put(each)));
    expect(verdicts.of(child, 0)?.by).toBe('19');
    verdicts = await open();
    expect(verdicts.of(child, 0)?.by).toBe('19');
  });
});

describe('an image', () => {
  const policy: HoldPolicy = {
    matches: () => true,
    onUnknown: 'deny',
    message: 'wait for the scan',
    exempt: new Set(),
  };

  it.each([
    [
      'is held back without a verdict',
      'deny',
      undefined,
      { kind: 'unknown', message: 'wait for the scan' },
    ],
    ['goes out without one where that is allowed', 'allow', undefined, undefined],
    ['goes out with a good one', 'deny', verdict(child), undefined],
    [
      'is held back with a bad one',
      'allow',
      verdict(child, { verdict: 'deny', reason: 'CVE-2026-1' }),
      { kind: 'denied', message: 'this image may not be pulled: CVE-2026-1' },
    ],
    [
      'is held back with one that gives no reason',
      'deny',
      verdict(child, { verdict: 'deny' }),
      { kind: 'denied', message: 'this image may not be pulled' },
    ],
  ] as const)('%s', (_what, onUnknown, about, held) => {
    expect(heldBy({ ...policy, onUnknown }, about)).toEqual(held);
  });
});
