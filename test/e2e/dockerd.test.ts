import { Dockerd } from '../support/clients/dockerd.ts';
import { describeWith } from '../support/describe-with.ts';
import { describePulls } from '../support/pull-suite.ts';

await describeWith(
  'dockerd with Baleen as its registry mirror',
  ['dockerd', 'docker', 'containerd', 'runc', 'docker-registry', 'htpasswd', 'busybox'],
  () => {
    describePulls({ start: ({ url }) => Dockerd.start(url) });
  },
  { root: true },
);
