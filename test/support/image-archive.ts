import { splitDigest, type Digest } from '../../src/oci/digest.ts';
import { descriptorOf, type Content, type Image } from './images.ts';
import { tar, type TarEntry } from './tar.ts';

/** An image with all its platforms as an archive of an OCI layout (image-spec, image-layout.md), under a full name. */
export function ociArchive({ manifest, children, blobs }: Image, name: string): Buffer {
  const annotations = {
    'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
    'io.containerd.image.name': name,
  };
  const index = { schemaVersion: 2, manifests: [{ ...descriptorOf(manifest), annotations }] };
  const contents = [manifest, ...children, ...blobs];
  return tar([
    { path: 'oci-layout', content: JSON.stringify({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', content: JSON.stringify(index) },
    ...unique(contents).map(({ digest, bytes }): TarEntry => {
      const { algorithm, hex } = splitDigest(digest);
      return { path: `blobs/${algorithm}/${hex}`, content: bytes };
    }),
  ]);
}

/** This machine's platform of an image as `docker save` writes it, which every client can load under its name. */
export function dockerArchive({ children, blobs }: Image, name: string): Buffer {
  const own = process.arch === 'arm64' ? children[1] : children[0];
  const { config, layers } = JSON.parse(own?.bytes.toString() ?? '') as ImageDocument;
  const find = ({ digest }: { digest: Digest }): Content =>
    blobs.find((blob) => blob.digest === digest)!;
  const file = (each: { digest: Digest }): string => `${splitDigest(each.digest).hex}.tar`;
  const configFile = `${splitDigest(config.digest).hex}.json`;
  const manifest = [{ Config: configFile, RepoTags: [name], Layers: layers.map(file) }];
  return tar([
    { path: 'manifest.json', content: JSON.stringify(manifest) },
    { path: configFile, content: find(config).bytes },
    ...layers.map((layer): TarEntry => ({ path: file(layer), content: find(layer).bytes })),
  ]);
}

interface ImageDocument {
  readonly config: { readonly digest: Digest };
  readonly layers: readonly { readonly digest: Digest }[];
}

function unique(contents: readonly Content[]): Content[] {
  return [...new Map(contents.map((content) => [content.digest, content])).values()];
}
