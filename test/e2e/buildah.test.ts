import { Buildah } from '../support/clients/buildah.ts';
import { describeWith } from '../support/describe-with.ts';
import { describePulls } from '../support/pull-suite.ts';

await describeWith(
  'buildah from images that come through Baleen',
  ['buildah', 'docker-registry', 'htpasswd', 'busybox'],
  () => {
    describePulls({
      start: ({ host }) =>
        Buildah.start(`
          [[registry]]
          prefix = "docker.io"
          location = "${host}"
          insecure = true`),
    });
  },
  { root: true },
);
