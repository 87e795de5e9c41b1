import { createHash, randomFillSync } from 'node:crypto';
import { mkdir, open, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createCatalog } from '../src/catalog/create-catalog.ts';
import { digestOf, type Digest } from '../src/oci/digest.ts';
import { mediaTypes } from '../src/oci/media-type.ts';
import type { Tag } from '../src/oci/reference.ts';
import type { QualifiedName } from '../src/oci/repository-name.ts';
import { Layout } from '../src/store/layout.ts';

/** Layers of an image. */
const LAYERS = 8;

/** Bytes written at once. */
const PIECE = 8 * 1024 * 1024;

/**
 * Fills a data directory with one image, as if it had been pulled.
 * @param size bytes of its layers together
 * @returns its name
 */
export async function makeStore(directory: string, size: number): Promise<string> {
  const layout = new Layout(directory);
  const repository = 'docker.io/library/bench' as QualifiedName;
  const layers: Stored[] = [];
  for (let number = 0; number < LAYERS; number++) {
    const bytes = Math.floor((size * (number + 1)) / LAYERS) - Math.floor((size * number) / LAYERS);
    layers.push(await randomBlob(layout, bytes));
  }
  const config = await store(layout, JSON.stringify({ architecture: 'amd64', os: 'linux' }));
  const types = 'application/vnd.oci.image';
  const manifest = await store(
    layout,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: `${types}.config.v1+json`, ...config },
      layers: layers.map((layer) => ({ mediaType: `${types}.layer.v1.tar+gzip`, ...layer })),
    }),
  );
  const observer = { error: () => undefined, up: () => undefined };
  const catalog = await createCatalog({ directory: layout.root, observer });
  const record = { ...manifest, mediaType: mediaTypes.ociManifest };
  const blob = (each: Stored): Stored & { mediaType: string } => ({ ...each, mediaType: types });
  await catalog.link(repository, 'manifests', [record]);
  await catalog.link(repository, 'blobs', [config, ...layers].map(blob));
  await catalog.putTag(repository, 'latest' as Tag, { ...record, checkedAt: Date.now() });
  await catalog.close();
  return `${repository}:latest`;
}

interface Stored {
  readonly digest: Digest;
  readonly size: number;
}

async function store(layout: Layout, text: string): Promise<Stored> {
  const bytes = Buffer.from(text);
  const digest = digestOf(bytes);
  await mkdir(dirname(layout.blob(digest)), { recursive: true });
  await writeFile(layout.blob(digest), bytes);
  return { digest, size: bytes.length };
}

/** Bytes that do not compress. */
async function randomBlob(layout: Layout, size: number): Promise<Stored> {
  const temporary = join(layout.temporary, 'blob');
  await mkdir(layout.temporary, { recursive: true });
  const hash = createHash('sha256');
  const piece = Buffer.alloc(PIECE);
  const file = await open(temporary, 'w');
  for (let at = 0; at < size; at += PIECE) {
    const part = randomFillSync(piece).subarray(0, Math.min(PIECE, size - at));
    hash.update(part);
    await file.write(part);
  }
  await file.sync();
  await file.close();
  const digest = `sha256:${hash.digest('hex')}` as Digest;
  await mkdir(dirname(layout.blob(digest)), { recursive: true });
  await rename(temporary, layout.blob(digest));
  return { digest, size };
}
