import { randomBytes } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { MemberKind } from '../../src/catalog/catalog.ts';
import { RecordLayout } from '../../src/catalog/record-layout.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { RegistryError, type ErrorCode } from '../../src/oci/errors.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { parseReference } from '../../src/oci/reference.ts';
import type { Outcome } from '../../src/registry/outcome.ts';
import { createScaffold, drain, type Scaffold } from '../support/scaffold.ts';

const content = randomBytes(200_000);
const config = { mediaType: 'application/json', digest: digestOf(Buffer.from('c')), size: 1 };
const image = { mediaType: mediaTypes.ociManifest, config, layers: [] };
/** Where the content was pulled, and where it is merely named. */
const owner = 'private/app';
const claimant = 'evil/app';

let scaffold: Scaffold;
beforeEach(async () => {
  scaffold = await createScaffold();
});
afterEach(() => scaffold.dispose());

const claimantRoute = () => scaffold.route(`ghcr.io/${claimant}`);
const pullManifest = (name: string, reference: string) =>
  scaffold.manifests.get(scaffold.route(name), parseReference(reference));
const onDisk = async (kind: MemberKind, digest: Digest): Promise<unknown> => {
  const path = new RecordLayout(scaffold.layout.root).member(claimantRoute().key, kind, digest);
  return JSON.parse(await readFile(path, 'utf8'));
};

interface Case {
  readonly kind: MemberKind;
  /** The call that asks an upstream whether it has it. */
  readonly question: 'statBlob' | 'resolve';
  /** Stores something because of its owner, and has the claimant name it. */
  readonly claim: () => Promise<Digest>;
  /** Has the claimant's upstream hold it too. */
  readonly hold: () => void;
  readonly ask: (digest: Digest) => Promise<Outcome>;
}

const claimBlob = async (): Promise<Digest> => {
  const { hub, other, blobs, route, downloads } = scaffold;
  const digest = hub.addBlob(owner, content);
  await drain((await blobs.open(route(owner), digest)).reader);
  await downloads.running(digest)?.ended;
  const layer = { mediaType: 'application/x-tar', digest, size: content.length };
  other.addManifest(claimant, 'latest', { ...image, layers: [layer] });
  await pullManifest(`ghcr.io/${claimant}`, 'latest');
  return digest;
};
const holdBlob = (): void => void scaffold.other.addBlob(claimant, content);

const cases: [string, Case][] = [
  [
    'a blob',
    {
      kind: 'blobs',
      question: 'statBlob',
      claim: claimBlob,
      hold: holdBlob,
      async ask(digest) {
        const { reader, outcome } = await scaffold.blobs.open(claimantRoute(), digest);
        expect((await drain(reader)).equals(content)).toBe(true);
        return outcome;
      },
    },
  ],
  [
    'HEAD of a blob',
    {
      kind: 'blobs',
      question: 'statBlob',
      claim: claimBlob,
      hold: holdBlob,
      async ask(digest) {
        const { size, outcome } = await scaffold.blobs.stat(claimantRoute(), digest);
        expect(size).toBe(content.length);
        return outcome;
      },
    },
  ],
  [
    'a manifest',
    {
      kind: 'manifests',
      question: 'resolve',
      async claim() {
        const { digest, bytes } = scaffold.hub.addManifest(owner, 'latest', image);
        await pullManifest(owner, 'latest');
        const child = { mediaType: image.mediaType, digest, size: bytes.length };
        const index = { mediaType: mediaTypes.ociIndex, manifests: [child] };
        scaffold.other.addManifest(claimant, 'index', index);
        await pullManifest(`ghcr.io/${claimant}`, 'index');
        return digest;
      },
      hold: () => void scaffold.other.addManifest(claimant, 'held', image),
      async ask(digest) {
        const answer = await pullManifest(`ghcr.io/${claimant}`, digest);
        expect(digestOf(answer.bytes)).toBe(digest);
        return answer.outcome;
      },
    },
  ],
];

describe.each(cases)('%s that a repository only claims to hold', (_what, each) => {
  const { kind, question, claim, hold, ask } = each;

  it('is 404 where the repository’s own upstream does not have it', async () => {
    const digest = await claim();
    await expect(ask(digest)).rejects.toMatchObject({ status: 404 });
    expect(await onDisk(kind, digest)).toMatchObject({ claimed: true });
  });

  it('is served once that upstream has confirmed it, which is asked no further', async () => {
    const { other } = scaffold;
    const digest = await claim();
    expect(await onDisk(kind, digest)).toMatchObject({ claimed: true });
    hold();
    other.calls.length = 0;
    expect((await ask(digest)).kind).toBe('revalidated');
    expect(await onDisk(kind, digest)).not.toHaveProperty('claimed');
    expect((await ask(digest)).kind).toBe('hit');
    expect(other.calls).toEqual([`${question} ${claimant} ${digest}`]);
  });

  it.each<ErrorCode>([
    'UPSTREAM_UNAVAILABLE',
    'UPSTREAM_TIMEOUT',
    'TOOMANYREQUESTS',
    'UPSTREAM_OFFLINE',
  ])('is served while that upstream cannot be asked (%s), and asked for again', async (code) => {
    const { other } = scaffold;
    const digest = await claim();
    other.failure = new RegistryError(code);
    await ask(digest);
    expect(await onDisk(kind, digest)).toMatchObject({ claimed: true });
    other.failure = undefined;
    await expect(ask(digest)).rejects.toMatchObject({ status: 404 });
  });

  it('is not served where that upstream denies it', async () => {
    const digest = await claim();
    scaffold.other.failure = new RegistryError('UPSTREAM_DENIED', undefined, {
      upstreamStatus: 401,
    });
    await expect(ask(digest)).rejects.toMatchObject({ upstreamStatus: 401 });
  });
});

it('follows no download through another repository on the strength of a claim', async () => {
  const { hub, other, blobs, route } = scaffold;
  const digest = hub.addBlob(owner, content);
  const end = Promise.withResolvers<void>();
  hub.plays.push({ until: end.promise });
  const { reader } = await blobs.open(route(owner), digest);
  const layer = { mediaType: 'application/x-tar', digest, size: content.length };
  other.addManifest(claimant, 'latest', { ...image, layers: [layer] });
  await pullManifest(`ghcr.io/${claimant}`, 'latest');
  await expect(blobs.open(claimantRoute(), digest)).rejects.toMatchObject({ status: 404 });
  end.resolve();
  await drain(reader);
});

it('does not let an index change the media type of what is known', async () => {
  const { hub } = scaffold;
  const { digest, bytes } = hub.addManifest(owner, 'latest', image);
  await pullManifest(owner, digest);
  for (const mediaType of ['text/html\r\nx: y', mediaTypes.dockerManifest]) {
    const manifests = [{ mediaType, digest, size: bytes.length + 1 }];
    hub.addManifest(owner, 'index', { mediaType: mediaTypes.ociIndex, manifests });
    await pullManifest(owner, 'index');
  }
  const answer = await pullManifest(owner, digest);
  expect(answer).toMatchObject({ mediaType: image.mediaType, outcome: { kind: 'hit' } });
});

it('puts a bounded number of an index’s thousands of children on record, and serves the others too', async () => {
  const { hub, layout } = scaffold;
  const last = hub.addManifest(owner, 'last', image);
  const children = Array.from({ length: 3_000 }, (_, index) => digestOf(Buffer.from(`${index}`)));
  const manifests = [...children, last.digest].map((digest) => ({
    mediaType: image.mediaType,
    digest,
    size: 1,
  }));
  hub.addManifest(owner, 'latest', { mediaType: mediaTypes.ociIndex, manifests });
  await pullManifest(owner, 'latest');
  const files = await readdir(layout.repositories, { recursive: true, withFileTypes: true });
  const members = files.filter((file) => file.isFile() && file.parentPath.includes('_manifests'));
  expect(members).toHaveLength(501);
  expect((await pullManifest(owner, last.digest)).bytes.equals(last.bytes)).toBe(true);
});
