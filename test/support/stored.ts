import { existsSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Layout } from '../../src/store/layout.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Baleen } from './baleen.ts';
import { get, type Got } from './http-get.ts';
import type { Image } from './images.ts';
import { waitFor } from './wait-for.ts';

/** Where a blob lies in a Baleen's data directory. */
export function blobPath(baleen: Baleen, digest: string): string {
  return new Layout(baleen.dataDirectory).blob(digest as Digest);
}

/** The names of the files in quarantine. */
export function quarantined(baleen: Baleen): Promise<string[]> {
  return readdir(join(baleen.dataDirectory, 'v1/quarantine')).catch(() => []);
}

/** Turns over one bit in the middle of a file, as a disk does that rots. */
export async function flipBit(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  const byte = Buffer.alloc(1);
  const at = Math.floor(size / 2);
  await file.read(byte, 0, 1, at);
  byte[0]! ^= 0b0000_1000;
  await file.write(byte, 0, 1, at);
}

/** Fetches an image as clients do, by its tag and then whatever that names; every answer, once all is stored. */
export async function pullImage(
  baleen: Baleen,
  repository: string,
  tag: string,
  image: Image,
): Promise<Got[]> {
  const base = `${baleen.url}/v2/${repository}`;
  const answers = [await get(`${base}/manifests/${tag}`)];
  for (const { digest } of image.children) answers.push(await get(`${base}/manifests/${digest}`));
  for (const { digest } of image.blobs) answers.push(await get(`${base}/blobs/${digest}`));
  // A client has the last byte a moment before the blob has its name.
  await waitFor('all blobs to be stored', () =>
    image.blobs.every(({ digest }) => existsSync(blobPath(baleen, digest))),
  );
  return answers;
}

/** The digests of all that an image consists of, in the order in which {@link pullImage} gets it. */
export function digestsOf(image: Image): string[] {
  return [image.manifest, ...image.children, ...image.blobs].map(({ digest }) => digest);
}
