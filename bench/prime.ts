import { setTimeout as sleep } from 'node:timers/promises';
import { blobPath, manifestPath, type BlobContent, type ImageContent } from './content.ts';
import type { Context } from './context.ts';
import type { Server } from './servers/server.ts';

const ATTEMPTS = 50;

/** Pulls an image's manifest by tag and by digest, as clients do before they ask for blobs. */
export async function pullManifest(server: Server, image: ImageContent): Promise<void> {
  for (const reference of [image.tag, image.digest]) {
    const url = `http://127.0.0.1:${server.port}${manifestPath(image.repository, reference)}`;
    const response = await fetch(url, { headers: { accept: image.mediaType } });
    const body = await response.text();
    if (response.status !== 200 || body !== image.manifest) {
      throw new Error(`${url}: status ${response.status}, ${body.slice(0, 200)}`);
    }
  }
}

/** Pulls a blob, digest checked, until the server answers it without the upstream. */
export async function warm(
  context: Context,
  server: Server,
  image: ImageContent,
  blob: BlobContent,
): Promise<void> {
  const path = blobPath(image.repository, blob.digest);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await context.upstream.records();
    await checkBlob(context, server, image, blob);
    if (((await context.upstream.records())[path]?.gets ?? 0) === 0) return;
    await sleep(100);
  }
  throw new Error(`${path} is still fetched after ${ATTEMPTS} pulls`);
}

/** Pulls a blob once and checks its size and digest. */
export async function checkBlob(
  context: Context,
  server: Server,
  image: ImageContent,
  blob: BlobContent,
): Promise<void> {
  const { failures } = await context.load.run({
    kind: 'burst',
    port: server.port,
    path: blobPath(image.repository, blob.digest),
    clients: 1,
    size: blob.size,
    digest: blob.digest,
  });
  if (failures.length > 0) throw new Error(failures.join('; '));
}
