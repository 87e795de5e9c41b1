import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { UploadBody } from '../../src/hosted/uploads.ts';
import type { ByteRange } from '../../src/oci/byte-range.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { isRegistryError } from '../../src/oci/errors.ts';
import { createHostedScaffold, hostedRouteOf, type HostedScaffold } from '../support/hosted.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const resources = testResources();
const app = hostedRouteOf('local/app');
const content = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7) % 251));
const digest = digestOf(content);

let data: string;
let hosted: HostedScaffold;
beforeEach(async () => {
  data = resources.use(tempDir('uploads')).path;
  hosted = await open();
});

async function open(options?: Parameters<typeof createHostedScaffold>[1]): Promise<HostedScaffold> {
  const opened = await createHostedScaffold(data, options);
  resources.defer(() => opened.close());
  return opened;
}

/** The process ends and another begins. */
async function restart(options?: Parameters<typeof createHostedScaffold>[1]): Promise<void> {
  await hosted.close();
  hosted = await open(options);
}

const bodyOf = (stream: Readable, range?: ByteRange): UploadBody => ({
  length: undefined,
  range,
  open: () => stream,
});
/** A body that comes in parts; what is taken is gone, so it is a copy. */
const bytes = (part: Buffer, range?: ByteRange): UploadBody =>
  bodyOf(Readable.from([...halves(part)], { objectMode: false }), range);
const halves = (part: Buffer): Buffer[] =>
  [part.subarray(0, part.length / 2), part.subarray(part.length / 2)]
    .filter(({ length }) => length > 0)
    .map((half) => Buffer.from(half));

async function stored(named: Digest = digest): Promise<Buffer | undefined> {
  const member = await hosted.catalog.linked(app.key, 'blobs', named);
  return member && readFile(hosted.layout.blob(named));
}

const folders = (): Promise<string[]> => readdir(hosted.layout.uploads);

describe('an upload over a restart', () => {
  it('goes on where it was, and its first half is hashed again', async () => {
    const id = await hosted.uploads.start(app, 'sha256');
    await hosted.uploads.append(app, id, bytes(content.subarray(0, 2000)));
    await restart();
    expect(await hosted.uploads.status(app, id)).toBe(2000);
    await hosted.uploads.append(app, id, bytes(content.subarray(2000)));
    await restart();
    expect(await hosted.uploads.finish(app, id, digest, undefined)).toBe(true);
    expect(await stored()).toEqual(content);
    expect(await folders()).toEqual([]);
  });

  it('takes no byte on trust that was changed meanwhile', async () => {
    const id = await hosted.uploads.start(app, 'sha256');
    await hosted.uploads.append(app, id, bytes(content));
    await hosted.close();
    await writeFile(join(hosted.layout.uploads, id, 'data'), Buffer.alloc(content.length));
    hosted = await open();
    await expect(hosted.uploads.finish(app, id, digest, undefined)).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    });
    expect(await stored()).toBeUndefined();
  });

  it('is still good for its own repository only', async () => {
    const id = await hosted.uploads.start(app, 'sha256');
    await restart();
    const other = hostedRouteOf('local/other');
    expect(() => hosted.uploads.status(other, id)).toThrow('unknown');
    expect(await hosted.uploads.status(app, id)).toBe(0);
  });

  it('costs nothing where nobody can say what it was, and leaves alone what may be in the making', async () => {
    await mkdir(join(hosted.layout.uploads, 'half-made'), { recursive: true });
    await mkdir(join(hosted.layout.uploads, 'torn'), { recursive: true });
    await writeFile(join(hosted.layout.uploads, 'torn', 'session.json'), '{"repos');
    await restart();
    expect(await folders()).toEqual(['half-made', 'torn']);
    const hourAgo = new Date(Date.now() - 3_600_000);
    for (const name of await folders()) {
      await utimes(join(hosted.layout.uploads, name), hourAgo, hourAgo);
    }
    await restart();
    expect(await folders()).toEqual([]);
    expect(hosted.failures).toEqual([]);
  });
});

describe('several requests that come for one upload while one is at it', () => {
  it('never work on it together: the last one ends those before it', async () => {
    const id = await hosted.uploads.start(app, 'sha256');
    const [first, second, third] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const append = (stream: Readable): Promise<unknown> =>
      hosted.uploads.append(app, id, bodyOf(stream)).then(
        () => 'taken',
        (error: unknown) => (isRegistryError(error) ? error.code : error),
      );
    const begun = (stream: Readable): Promise<boolean> =>
      waitFor('its turn', () => Promise.resolve(stream.readableFlowing === true));
    const requests = [append(first)];
    await begun(first);
    requests.push(append(second), append(third));
    await begun(third);
    second.end(Buffer.from('of somebody else'));
    third.end(Buffer.from(content));
    expect(await Promise.all(requests)).toEqual([
      'BLOB_UPLOAD_INVALID',
      'BLOB_UPLOAD_INVALID',
      'taken',
    ]);
    expect(await hosted.uploads.finish(app, id, digest, undefined)).toBe(true);
    expect(await stored()).toEqual(content);
  });
});

describe('an upload that nobody goes on with', () => {
  it('is removed when its time is over, counted from its last byte, also over a restart', async () => {
    const ttl = 60_000;
    await restart({ ttl });
    const id = await hosted.uploads.start(app, 'sha256');
    await hosted.uploads.append(app, id, bytes(content));
    await hosted.sessions.expire(Date.now() + ttl / 2);
    await restart({ ttl });
    await hosted.sessions.expire(Date.now() + ttl / 2);
    expect(hosted.sessions.count).toBe(1);
    await hosted.sessions.expire(Date.now() + ttl + 1000);
    expect([hosted.sessions.count, await folders()]).toEqual([0, []]);
    expect(hosted.results).toEqual(['expired']);
    expect(() => hosted.uploads.status(app, id)).toThrow('unknown');
  });

  it('is not removed while a client is at it', async () => {
    const id = await hosted.uploads.start(app, 'sha256');
    const slow = new PassThrough();
    const appending = hosted.uploads.append(app, id, bodyOf(slow));
    slow.write(Buffer.from(content.subarray(0, 100)));
    await waitFor('the bytes', () => hosted.sessions.bytes === 100);
    await hosted.sessions.expire(Date.now() + 1_000);
    expect(hosted.sessions.count).toBe(1);
    slow.end();
    expect(await appending).toEqual({ offset: 100, isWhole: true });
  });
});

describe('an account', () => {
  it('has half of all the uploads that may be open, and leaves the rest to others', async () => {
    await restart({ maxUploads: 4 });
    const few = hosted;
    const start = (owner?: string) => few.uploads.start(app, 'sha256', owner);
    const refused = expect.objectContaining({ code: 'TOOMANYREQUESTS' });
    const started = await Promise.allSettled(Array.from({ length: 4 }, () => start('alice')));
    expect(started.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    await expect(start('alice')).rejects.toEqual(refused);
    const theirs = await start('bob');
    await start();
    await expect(start()).rejects.toEqual(refused);
    await few.uploads.cancel(app, theirs);
    await expect(start('alice')).rejects.toEqual(refused);
    const [first] = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    await few.uploads.cancel(app, first ?? '');
    await start('alice');
  });
});

describe('where the disk refuses', () => {
  const refused = expect.objectContaining({ code: 'UNAVAILABLE' });

  it('bytes, the upload is over and takes no room', async () => {
    const id = await hosted.uploads.start(app, 'sha256');
    await mkdir(join(hosted.layout.uploads, id, 'data'));
    await expect(hosted.uploads.append(app, id, bytes(content))).rejects.toEqual(refused);
    expect([hosted.sessions.count, await folders()]).toEqual([0, []]);
    expect(hosted.results).toEqual(['disk']);
  });

  it('an upload’s beginning, there is none', async () => {
    await writeFile(hosted.layout.uploads, 'in the way');
    await expect(hosted.uploads.start(app, 'sha256')).rejects.toEqual(refused);
    await rm(hosted.layout.uploads);
    await hosted.uploads.start(app, 'sha256');
  });

  it.each([
    ['the blob its place', () => join(hosted.layout.blobs, 'sha256')],
    ['the record', () => hosted.layout.temporary],
  ])('%s, nothing is visible, and the next push is whole', async (_what, obstacle) => {
    await rm(obstacle(), { recursive: true, force: true });
    await writeFile(obstacle(), 'in the way');
    const id = await hosted.uploads.start(app, 'sha256');
    await expect(hosted.uploads.finish(app, id, digest, bytes(content))).rejects.toEqual(refused);
    expect(await stored()).toBeUndefined();
    expect(await folders()).toEqual([]);
    await rm(obstacle());
    const again = await hosted.uploads.start(app, 'sha256');
    expect(await hosted.uploads.finish(app, again, digest, bytes(content))).toBe(true);
    await restart();
    expect(await stored()).toEqual(content);
  });
});

it('a membership whose file somebody took away is written again by the next push', async () => {
  const push = async (): Promise<void> => {
    const id = await hosted.uploads.start(app, 'sha256');
    await hosted.uploads.finish(app, id, digest, bytes(content));
  };
  await push();
  await rm(join(hosted.layout.repositories, app.key, '_blobs'), { recursive: true });
  await push();
  await restart();
  expect(await stored()).toEqual(content);
});

it('a blob that is pushed again replaces the one that was found wrong, whoever is first', async () => {
  for (let round = 0; round < 20; round++) {
    const id = await hosted.uploads.start(app, 'sha256');
    await hosted.uploads.append(app, id, bytes(content));
    await mkdir(join(hosted.layout.blob(digest), '..'), { recursive: true });
    await writeFile(hosted.layout.blob(digest), 'wrong');
    const wrong = (await hosted.store.open(digest))!;
    await Promise.all([
      hosted.uploads.finish(app, id, digest, undefined),
      hosted.store.delete(digest, wrong.fileId),
    ]);
    wrong.close();
    expect(await stored()).toEqual(content);
  }
});

/** What a client, a line or an operator may do to an upload. */
type Step =
  | { readonly kind: 'chunk'; readonly length: number }
  | { readonly kind: 'stream'; readonly length: number }
  | { readonly kind: 'broken'; readonly length: number }
  | { readonly kind: 'late'; readonly gap: number }
  | { readonly kind: 'status' | 'restart' };

const length = fc.integer({ min: 0, max: 1500 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('chunk' as const), length }),
  fc.record({ kind: fc.constant('stream' as const), length }),
  fc.record({ kind: fc.constant('broken' as const), length }),
  fc.record({ kind: fc.constant('late' as const), gap: fc.integer({ min: 1, max: 100 }) }),
  fc.record({ kind: fc.constantFrom('status' as const, 'restart' as const) }),
);

/** Does it, and gives where the upload is then. */
async function take(id: string, at: number, done: Step): Promise<number> {
  const { uploads } = hosted;
  switch (done.kind) {
    case 'chunk': {
      const end = Math.min(content.length, at + done.length);
      if (end === at) return at;
      const range = { start: at, end: end - 1 };
      return (await uploads.append(app, id, bytes(content.subarray(at, end), range))).offset;
    }
    case 'stream':
      return (await uploads.append(app, id, bytes(content.subarray(at, at + done.length)))).offset;
    case 'broken': {
      const stream = new PassThrough();
      stream.on('error', () => undefined);
      const part = Buffer.from(content.subarray(at, at + done.length));
      const appending = uploads.append(app, id, bodyOf(stream));
      stream.write(part);
      await waitFor('the bytes', async () => hosted.sessions.bytes === at + part.length);
      stream.destroy(new Error('the line is dead'));
      const { offset, isWhole } = await appending;
      expect(isWhole).toBe(false);
      return offset;
    }
    case 'late': {
      const start = at + done.gap;
      const chunk = bytes(Buffer.from('x'), { start, end: start });
      const refusal = await uploads.append(app, id, chunk).catch((error: unknown) => error);
      expect(isRegistryError(refusal, 'RANGE_INVALID') && refusal.detail).toEqual({ offset: at });
      return at;
    }
    case 'status':
      return uploads.status(app, id);
    case 'restart':
      await restart();
      return hosted.uploads.status(app, id);
  }
}

it('any order of chunks, broken streams, refusals and restarts ends in the right blob', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.boolean(), async (steps, isSha512) => {
      const named = isSha512 ? digestOf(content, 'sha512') : digest;
      const id = await hosted.uploads.start(app, 'sha256');
      let at = 0;
      for (const each of steps) {
        const before = at;
        at = await take(id, at, each);
        expect(at).toBeGreaterThanOrEqual(before);
        expect(await hosted.uploads.status(app, id)).toBe(at);
      }
      const rest = content.subarray(at);
      expect(await hosted.uploads.finish(app, id, named, bytes(rest))).toBe(true);
      expect(await stored(named)).toEqual(content);
      expect(hosted.sessions.count).toBe(0);
    }),
    { numRuns: 25 },
  );
});
