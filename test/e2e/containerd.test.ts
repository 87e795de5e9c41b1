import { Containerd } from '../support/clients/containerd.ts';
import { describeWith } from '../support/describe-with.ts';
import { describePulls } from '../support/pull-suite.ts';

await describeWith(
  'containerd with Baleen in its hosts.toml',
  ['containerd', 'runc', 'docker-registry', 'htpasswd', 'busybox'],
  () => {
    describePulls({ start: ({ url }) => Containerd.start(url) });
  },
  { root: true },
);
