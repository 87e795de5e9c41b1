import { beforeAll, expect, it } from '@jest/globals';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { Baleen } from '../support/baleen.ts';
import { DockerRegistry } from '../support/docker-registry.ts';
import { artifactOf, content, descriptorOf, indexOf, seededImage } from '../support/images.ts';
import { dockerHubAt } from '../support/pull-suite.ts';
import { suiteResources } from '../support/resources.ts';
import { describeOfficial } from './describe-official.ts';
import { runOfficialProgram } from './official-program.ts';

/** What needs a push or a delete, or is about data that was pushed. */
const aboutPushes =
  /^(Blob (delete|mount|anonymous|post|chunked|push|streaming|upload)|Manifest (delete|put)|Tag delete)/;

await describeOfficial(
  'the official OCI conformance program, on what is proxied',
  ['docker-registry', 'htpasswd'],
  (program) => {
    const resources = suiteResources();
    const image = indexOf({ amd64: seededImage([3000], 81), arm64: seededImage([2000], 82) });
    const signature = artifactOf(image.manifest, 'application/vnd.example.signature', 'signed');
    let baleen: Baleen;

    beforeAll(async () => {
      const registry = resources.use(await DockerRegistry.start());
      await registry.push('whales/blue', '1.0', image);
      await registry.push('whales/blue', 'signature', signature);
      // This registry has no referrers API: the tag of the specification stands in for it.
      const listed = {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [descriptorOf(signature.manifest)],
      };
      const list = content(Buffer.from(JSON.stringify(listed)), mediaTypes.ociIndex);
      const tag = image.manifest.digest.replace(':', '-');
      await registry.push('whales/blue', tag, { manifest: list, children: [], blobs: [] });
      baleen = resources.use(await Baleen.start(dockerHubAt(registry)));
    });

    it.each(['whales/blue', 'docker.io/whales/blue'])(
      'finds nothing to complain about in %s, cold and warm',
      async (repository) => {
        for (const version of ['1.1', 'dev'] as const) {
          const report = await runOfficialProgram(program, {
            registry: baleen.host,
            version,
            repositories: [repository, repository],
            settings: {
              OCI_API_PUSH: 'false',
              OCI_API_BLOBS_DELETE: 'false',
              OCI_API_MANIFESTS_DELETE: 'false',
              OCI_API_TAGS_DELETE: 'false',
              // It looks for this in an answer that it keeps only of what it has pushed itself.
              OCI_API_MANIFESTS_DIGEST_HEADER: 'false',
              OCI_RO_DATA_TAGS: '1.0 signature',
              OCI_RO_DATA_MANIFESTS: digests([image.manifest, ...image.children]),
              OCI_RO_DATA_BLOBS: digests(image.blobs),
              OCI_RO_DATA_REFERRERS: image.manifest.digest,
            },
          });
          expect(report).toMatchObject({ verdict: 'Pass', complaints: [] });
          const missing = Object.entries(report.notPassed).filter(
            ([name]) => !aboutPushes.test(name),
          );
          // It tries ranges on nothing but what it has pushed itself.
          expect(missing).toEqual([['Blob get range', 'Unknown']]);
          expect(report.passed).toBeGreaterThan(20);
        }
      },
    );
  },
);

function digests(contents: readonly { readonly digest: string }[]): string {
  return contents.map(({ digest }) => digest).join(' ');
}
