import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { content, imageOf, indexOf, seededBytes, type Image, type ImageFormat } from './images.ts';
import { tar, type TarEntry } from './tar.ts';

/** An image that real clients can pull and run, and what it must print when it runs. */
export interface RunnableImage extends Image {
  readonly prints: string;
  /** A file in the image, and its bytes: to check the content where running is not possible. */
  readonly file: { readonly path: string; readonly bytes: Buffer };
}

/** Debian's statically linked busybox (package busybox-static): an image's worth in one file. */
const busybox = '/bin/busybox';
const payloadSize = 3 * 1024 * 1024;

/**
 * Builds an index over linux/amd64 and linux/arm64, three gzipped layers each: busybox, a payload
 * of 3 MiB, and a script that prints a greeting and the checksum of the payload it finds, so that
 * its output proves every layer. The binary is this machine's own on both platforms; the
 * payloads differ.
 * @param seed makes the payloads, and so the digests, unlike any other
 */
export function runnableImage(seed: number, format: ImageFormat = 'oci'): RunnableImage {
  const architectures = ['amd64', 'arm64'] as const;
  const platforms = architectures.map((architecture, index) =>
    platformImage(architecture, seed * 10 + index, format),
  );
  const [amd64, arm64] = platforms as [RunnableImage, RunnableImage];
  const own = process.arch === 'arm64' ? arm64 : amd64;
  return { ...indexOf({ amd64, arm64 }, format), prints: own.prints, file: own.file };
}

function platformImage(architecture: string, seed: number, format: ImageFormat): RunnableImage {
  const payload = seededBytes(payloadSize, seed);
  const checksum = createHash('sha256').update(payload).digest('hex');
  const greeting = `krill for ${architecture}, ${String(seed)}`;
  const script = `#!/bin/sh\necho "${greeting}"\nsha256sum /data/payload | cut -d ' ' -f 1\n`;
  const layers = [
    [
      { path: 'bin' },
      { path: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
      ...['sh', 'cat', 'cut', 'sha256sum', 'sleep'].map((link) => ({
        path: `bin/${link}`,
        link: 'busybox',
      })),
      ...['dev', 'etc', 'proc', 'sys', 'tmp'].map((path) => ({ path })),
    ],
    [{ path: 'data' }, { path: 'data/payload', content: payload }],
    [{ path: 'hello', content: script, mode: 0o755 }],
  ].map((entries: TarEntry[]) => tar(entries));
  const config = {
    created: '2026-01-01T00:00:00Z',
    architecture,
    os: 'linux',
    config: { Cmd: ['/hello'], Env: ['PATH=/bin'] },
    rootfs: {
      type: 'layers',
      diff_ids: layers.map((layer) => content(layer, '').digest),
    },
    history: layers.map((_, index) => ({
      created: '2026-01-01T00:00:00Z',
      created_by: `layer ${String(index)}`,
    })),
  };
  const type =
    format === 'oci'
      ? 'application/vnd.oci.image.layer.v1.tar+gzip'
      : 'application/vnd.docker.image.rootfs.diff.tar.gzip';
  const blobs = layers.map((layer) => content(gzipSync(layer, { level: 1 }), type));
  return {
    ...imageOf(config, blobs, format),
    prints: `${greeting}\n${checksum}\n`,
    file: { path: '/data/payload', bytes: payload },
  };
}
