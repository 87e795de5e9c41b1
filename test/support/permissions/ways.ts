import { artifactOf, content, imageOf, layerOf, type Content } from '../images.ts';
import type { Answer, Question } from './ask.ts';
import type { Wanted } from './oracle.ts';
import { images, type Place } from './world.ts';

/** Asks at the door that is tried, as an administrator. */
export type AsRoot = (question: Question) => Promise<Answer>;

/** One thing to do with a repository. */
export interface Way {
  readonly title: string;
  /** The route of the product that it takes: a route without a way would be a hole. */
  readonly route: string;
  readonly wanted: Wanted;
  /** Where it is allowed and there is something. */
  readonly success: number;
  /** The same where the token is not for pulling from the repository, and so not enough. */
  readonly successUnread?: number;
  /**
   * The request below `/v2/<name>/`.
   * @param asRoot puts in place what the request is about; only where it is hosted
   */
  question(place: Place, asRoot: AsRoot | undefined): Question | Promise<Question>;
}

const octets = { 'content-type': 'application/octet-stream' };
let count = 0;

/** Never the same twice. */
function freshLayer(): Content {
  return layerOf(64, 500_000 + ++count);
}

function manifestOf(place: Place): Content {
  return images[place].manifest;
}

function layerAt(place: Place): Content {
  return images[place].blobs.at(-1)!;
}

/** A manifest of what the repository holds, unlike any other. */
function freshManifest(place: Place): Content {
  const { manifest } = imageOf({}, []);
  const document = JSON.parse(manifestOf(place).bytes.toString()) as object;
  const annotations = { count: String(++count) };
  return content(Buffer.from(JSON.stringify({ ...document, annotations })), manifest.mediaType);
}

function putManifest(reference: string, manifest: Content): Question {
  return {
    method: 'PUT',
    path: `manifests/${reference}`,
    headers: { 'content-type': manifest.mediaType },
    body: manifest.bytes,
  };
}

/** The path of an upload that an administrator has begun. */
async function beginUpload(asRoot: AsRoot | undefined): Promise<string> {
  if (asRoot === undefined) return 'blobs/uploads/00000000-0000-4000-8000-000000000000';
  const { headers } = await asRoot({ method: 'POST', path: 'blobs/uploads/', body: Buffer.of() });
  return /blobs\/uploads\/[^?]+/.exec(headers.location ?? '')![0];
}

const manifestRoute = '/v2/*name/manifests/:reference';
const blobRoute = '/v2/*name/blobs/:digest';
const startRoute = '/v2/*name/blobs/uploads';
const uploadRoute = '/v2/*name/blobs/uploads/:upload';

const reading: readonly Way[] = [
  ...(['GET', 'HEAD'] as const).flatMap((method): Way[] => [
    {
      title: `${method} manifest by tag`,
      route: `get ${manifestRoute}`,
      wanted: 'pull',
      success: 200,
      question: () => ({ method, path: 'manifests/v1' }),
    },
    {
      title: `${method} manifest by digest`,
      route: `get ${manifestRoute}`,
      wanted: 'pull',
      success: 200,
      question: (place) => ({ method, path: `manifests/${manifestOf(place).digest}` }),
    },
    {
      title: `${method} blob`,
      route: `get ${blobRoute}`,
      wanted: 'pull',
      success: 200,
      question: (place) => ({ method, path: `blobs/${layerAt(place).digest}` }),
    },
    {
      title: `${method} tags`,
      route: 'get /v2/*name/tags/list',
      wanted: 'pull',
      success: 200,
      question: () => ({ method, path: 'tags/list' }),
    },
    {
      title: `${method} referrers`,
      route: 'get /v2/*name/referrers/:digest',
      wanted: 'pull',
      success: 200,
      question: (place) => ({ method, path: `referrers/${manifestOf(place).digest}` }),
    },
  ]),
  {
    title: 'part of a blob',
    route: `get ${blobRoute}`,
    wanted: 'pull',
    success: 206,
    question: (place) => ({
      method: 'GET',
      path: `blobs/${layerAt(place).digest}`,
      headers: { range: 'bytes=0-9' },
    }),
  },
  {
    title: 'a blob that is known already',
    route: `get ${blobRoute}`,
    wanted: 'pull',
    success: 304,
    question: (place) => ({
      method: 'GET',
      path: `blobs/${layerAt(place).digest}`,
      headers: { 'if-none-match': `"${layerAt(place).digest}"` },
    }),
  },
];

const writing: readonly Way[] = [
  {
    title: 'begin an upload',
    route: `post ${startRoute}`,
    wanted: 'push',
    success: 202,
    question: () => ({ method: 'POST', path: 'blobs/uploads/', body: Buffer.of() }),
  },
  {
    title: 'a blob at once',
    route: `post ${startRoute}`,
    wanted: 'push',
    success: 201,
    question() {
      const { digest, bytes } = freshLayer();
      const path = `blobs/uploads/?digest=${digest}`;
      return { method: 'POST', path, headers: octets, body: bytes };
    },
  },
  {
    title: 'a chunk of an upload',
    route: `patch ${uploadRoute}`,
    wanted: 'push',
    success: 202,
    question: async (_place, asRoot) => ({
      method: 'PATCH',
      path: await beginUpload(asRoot),
      headers: octets,
      body: freshLayer().bytes,
    }),
  },
  {
    title: 'the end of an upload',
    route: `put ${uploadRoute}`,
    wanted: 'push',
    success: 201,
    async question(_place, asRoot) {
      const { digest, bytes } = freshLayer();
      const path = `${await beginUpload(asRoot)}?digest=${digest}`;
      return { method: 'PUT', path, headers: octets, body: bytes };
    },
  },
  ...(['GET', 'HEAD'] as const).map((method): Way => ({
    title: `${method} upload`,
    route: `get ${uploadRoute}`,
    wanted: 'push',
    success: 204,
    question: async (_place, asRoot) => ({ method, path: await beginUpload(asRoot) }),
  })),
  {
    title: 'give up an upload',
    route: `delete ${uploadRoute}`,
    wanted: 'push',
    success: 204,
    question: async (_place, asRoot) => ({ method: 'DELETE', path: await beginUpload(asRoot) }),
  },
  {
    title: 'mount a blob of the same repository',
    route: `post ${startRoute}`,
    wanted: 'push',
    success: 201,
    successUnread: 401,
    question: (place) => ({
      method: 'POST',
      path: `blobs/uploads/?mount=${layerAt(place).digest}&from=local/${place}`,
      body: Buffer.of(),
    }),
  },
  {
    title: 'PUT manifest by tag',
    route: `put ${manifestRoute}`,
    wanted: 'push',
    success: 201,
    question: (place) => putManifest(`t${String(++count)}`, freshManifest(place)),
  },
  {
    title: 'PUT manifest by digest',
    route: `put ${manifestRoute}`,
    wanted: 'push',
    success: 201,
    question(place) {
      const manifest = freshManifest(place);
      return putManifest(manifest.digest, manifest);
    },
  },
  {
    title: 'PUT a referrer',
    route: `put ${manifestRoute}`,
    wanted: 'push',
    success: 201,
    async question(place, asRoot) {
      const note = artifactOf(manifestOf(place), 'text/note', String(++count));
      for (const { digest, bytes } of asRoot === undefined ? [] : note.blobs) {
        const path = `blobs/uploads/?digest=${digest}`;
        await asRoot?.({ method: 'POST', path, headers: octets, body: bytes });
      }
      return putManifest(note.manifest.digest, note.manifest);
    },
  },
];

const removing: readonly Way[] = [
  {
    title: 'DELETE manifest',
    route: `delete ${manifestRoute}`,
    wanted: 'delete',
    success: 202,
    async question(place, asRoot) {
      const manifest = freshManifest(place);
      await asRoot?.(putManifest(manifest.digest, manifest));
      return { method: 'DELETE', path: `manifests/${manifest.digest}` };
    },
  },
  {
    title: 'DELETE tag',
    route: `delete ${manifestRoute}`,
    wanted: 'delete',
    success: 202,
    async question(place, asRoot) {
      const tag = `t${String(++count)}`;
      await asRoot?.(putManifest(tag, freshManifest(place)));
      return { method: 'DELETE', path: `manifests/${tag}` };
    },
  },
  {
    title: 'DELETE blob',
    route: `delete ${blobRoute}`,
    wanted: 'delete',
    success: 202,
    async question(_place, asRoot) {
      const { digest, bytes } = freshLayer();
      const path = `blobs/uploads/?digest=${digest}`;
      await asRoot?.({ method: 'POST', path, headers: octets, body: bytes });
      return { method: 'DELETE', path: `blobs/${digest}` };
    },
  },
];

/** All of them. */
export const ways: readonly Way[] = [...reading, ...writing, ...removing];
