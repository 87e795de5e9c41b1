import { describe } from '@jest/globals';
import { Podman } from '../support/clients/podman.ts';
import { describeWith } from '../support/describe-with.ts';
import { describePulls } from '../support/pull-suite.ts';

await describeWith(
  'podman',
  ['podman', 'runc', 'docker-registry', 'htpasswd', 'busybox'],
  () => {
    describe('with Baleen as a mirror of docker.io', () => {
      describePulls({
        start: ({ host }) =>
          Podman.start(`
            [[registry]]
            prefix = "docker.io"
            location = "127.0.0.1:9"
            [[registry.mirror]]
            location = "${host}"
            insecure = true`),
      });
    });

    describe('with docker.io rewritten to a path of Baleen', () => {
      describePulls({
        start: ({ host }) =>
          Podman.start(`
            [[registry]]
            prefix = "docker.io"
            location = "${host}/docker.io"
            insecure = true`),
      });
    });
  },
  { root: true },
);
