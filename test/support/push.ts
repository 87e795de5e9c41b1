import type { Content, Image } from './images.ts';

/** Where to push to. */
export interface PushTarget {
  /** Such as `http://127.0.0.1:5000`. */
  readonly url: string;
  /** `user:password`. */
  readonly credentials?: string;
}

/** Pushes an image with everything it points to, and tags it (distribution specification, "Push"). */
export async function push(
  target: PushTarget,
  repository: string,
  tag: string,
  image: Image,
): Promise<void> {
  await Promise.all(image.blobs.map((blob) => pushBlob(target, repository, blob)));
  for (const child of image.children) {
    await pushManifest(target, repository, child.digest, child);
  }
  await pushManifest(target, repository, tag, image.manifest);
}

async function pushBlob(target: PushTarget, repository: string, blob: Content): Promise<void> {
  const started = await send(target, 'POST', `/v2/${repository}/blobs/uploads/`);
  const location = new URL(started.headers.get('location') ?? '', target.url);
  location.searchParams.set('digest', blob.digest);
  await send(target, 'PUT', `${location.pathname}${location.search}`, {
    ...blob,
    mediaType: 'application/octet-stream',
  });
}

async function pushManifest(
  target: PushTarget,
  repository: string,
  reference: string,
  manifest: Content,
): Promise<void> {
  await send(target, 'PUT', `/v2/${repository}/manifests/${reference}`, manifest);
}

async function send(
  { url, credentials }: PushTarget,
  method: string,
  path: string,
  body?: Content,
): Promise<Response> {
  const response = await fetch(new URL(path, url), {
    method,
    headers: {
      ...(body && { 'content-type': body.mediaType }),
      ...(credentials !== undefined && {
        authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      }),
    },
    ...(body && { body: new Uint8Array(body.bytes) }),
  });
  if (response.ok) return response;
  throw new Error(`${method} ${path}: ${String(response.status)} ${await response.text()}`);
}
