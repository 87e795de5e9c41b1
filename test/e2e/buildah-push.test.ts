import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { describeAccounts } from '../support/account-suite.ts';
import { Baleen } from '../support/baleen.ts';
import { BuildahPusher } from '../support/clients/buildah-pusher.ts';
import { describeWith } from '../support/describe-with.ts';
import { content, imageOf, type Image } from '../support/images.ts';
import { push } from '../support/push.ts';
import { describePushes } from '../support/push-suite.ts';
import { testResources } from '../support/resources.ts';
import { tar } from '../support/tar.ts';

/** An image of one file, compressed as clients do it: they leave it as it is then. */
function tinyImage(text: string): Image {
  const layer = tar([{ path: 'said', content: text }]);
  const config = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [content(layer, '').digest] },
  };
  const type = 'application/vnd.oci.image.layer.v1.tar+gzip';
  return imageOf(config, [content(gzipSync(layer), type)]);
}

await describeWith(
  'buildah that pushes to Baleen',
  ['buildah', 'busybox', 'htpasswd'],
  () => {
    describePushes({ start: (target) => BuildahPusher.start(target) });
    describeAccounts({ start: (target) => BuildahPusher.start(target) });

    describe('an index that it makes of images in the registry', () => {
      const resources = testResources();

      it('is pushed, with all of them in its own repository', async () => {
        const baleen = resources.use(
          await Baleen.start({ hosted: { repositories: ['local/**'] } }),
        );
        const { host, url } = baleen;
        const images = ['krill', 'squid'].map(tinyImage);
        const names = ['local/one:1.0', 'local/two:1.0'];
        for (const [index, name] of names.entries()) {
          const [repository = '', tag = ''] = name.split(':');
          await push({ url }, repository, tag, images[index]!);
        }
        const buildah = resources.use(await BuildahPusher.start({ host, certificates: undefined }));
        expect(await buildah.pushList('local/all:1.0', names)).toMatchObject({ code: 0 });
        const answer = await fetch(`${url}/v2/local/all/manifests/1.0`);
        const list = (await answer.json()) as { manifests: { digest: string }[] };
        expect(answer.headers.get('content-type')).toBe(mediaTypes.ociIndex);
        const digests = images.map(({ manifest }) => manifest.digest);
        expect(list.manifests.map(({ digest }) => digest).toSorted()).toEqual(digests.toSorted());
        for (const digest of digests) {
          expect((await fetch(`${url}/v2/local/all/manifests/${digest}`)).status).toBe(200);
        }
        for (const { blobs } of images) {
          const { digest, bytes } = blobs.at(-1)!;
          const blob = await fetch(`${url}/v2/local/all/blobs/${digest}`);
          expect(Buffer.from(await blob.arrayBuffer())).toEqual(bytes);
        }
      });
    });
  },
  { root: true },
);
