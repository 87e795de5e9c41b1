import type { Digest } from '../../src/oci/digest.ts';
import type { Answer, RegistryClient } from './registry-client.ts';

const octets = { 'content-type': 'application/octet-stream' };

/** Opens an upload session (distribution specification, end-4a), and gives where it is. */
export async function open(client: RegistryClient, repository: string): Promise<string> {
  const answer = await client.send('POST', `/v2/${repository}/blobs/uploads/`);
  return locationOf(answer, 202);
}

/** Sends bytes `from` on with a `Content-Range`, as one chunk. */
export async function sendChunk(
  client: RegistryClient,
  location: string,
  bytes: Uint8Array,
  from: number,
): Promise<Answer> {
  return client.send('PATCH', location, { headers: rangeOf(bytes, from), body: bytes });
}

/** Closes a session, with the last chunk where one is given. */
export async function close(
  client: RegistryClient,
  location: string,
  digest: string,
  last?: { readonly bytes: Uint8Array; readonly from: number },
): Promise<Answer> {
  const sent = last && { headers: rangeOf(last.bytes, last.from), body: last.bytes };
  return client.send('PUT', withQuery(location, 'digest', digest), sent ?? { headers: octets });
}

/** Sends a blob in some way, and gives the answer that ends it. */
export type Upload = (
  client: RegistryClient,
  repository: string,
  bytes: Uint8Array,
  digest: Digest,
) => Promise<Answer>;

/** Every way to push a blob (distribution specification, "Pushing blobs"). */
export const uploads: Readonly<Record<string, Upload>> = {
  'with a single POST': async (client, repository, bytes, digest) =>
    client.send('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, {
      headers: octets,
      body: bytes,
    }),

  'with a POST and a PUT': async (client, repository, bytes, digest) =>
    client.send('PUT', withQuery(await open(client, repository), 'digest', digest), {
      headers: octets,
      body: bytes,
    }),

  'as one stream without a length': async (client, repository, bytes, digest) => {
    const started = await open(client, repository);
    const sent = await client.send('PATCH', started, {
      headers: octets,
      body: bytes,
      stream: true,
    });
    return close(client, locationOf(sent, 202), digest);
  },

  'in one chunk': async (client, repository, bytes, digest) => {
    const sent = await sendChunk(client, await open(client, repository), bytes, 0);
    return close(client, locationOf(sent, 202), digest);
  },

  'in three chunks': async (client, repository, bytes, digest) => {
    let location = await open(client, repository);
    for (const [from, chunk] of thirds(bytes)) {
      location = locationOf(await sendChunk(client, location, chunk, from), 202);
    }
    return close(client, location, digest);
  },

  'in chunks, the last of them with the PUT': async (client, repository, bytes, digest) => {
    const [first, second, third] = thirds(bytes);
    let location = await open(client, repository);
    for (const [from, chunk] of [first, second]) {
      location = locationOf(await sendChunk(client, location, chunk, from), 202);
    }
    return close(client, location, digest, { from: third[0], bytes: third[1] });
  },
};

/** Three pieces, each with where it begins. */
export function thirds(bytes: Uint8Array): [Piece, Piece, Piece] {
  const size = Math.ceil(bytes.length / 3);
  const piece = (from: number): Piece => [from, bytes.subarray(from, from + size)];
  return [piece(0), piece(size), piece(size * 2)];
}

type Piece = readonly [from: number, bytes: Uint8Array];

/**
 * The `Location` of an answer.
 * @throws Error where the status is another, or there is no such header
 */
export function locationOf({ status, headers, body }: Answer, expected: number): string {
  const { location } = headers;
  if (status === expected && location !== undefined) return location;
  throw new Error(`${String(status)}, Location ${String(location)}: ${body.toString()}`);
}

/** A URL or path with one parameter more: what a session's location carries is the registry's own. */
export function withQuery(location: string, name: string, value: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(value)}`;
}

function rangeOf(bytes: Uint8Array, from: number): Record<string, string> {
  const range = `${String(from)}-${String(from + bytes.length - 1)}`;
  return { ...octets, 'content-range': range };
}
