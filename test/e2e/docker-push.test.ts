import { DockerPusher } from '../support/clients/docker-pusher.ts';
import { describeAccounts } from '../support/account-suite.ts';
import { describeWith } from '../support/describe-with.ts';
import { describePushes } from '../support/push-suite.ts';

await describeWith(
  'docker that pushes to Baleen',
  ['dockerd', 'docker', 'containerd', 'runc', 'busybox', 'htpasswd'],
  () => {
    describePushes({ start: (target) => DockerPusher.start(target) });
    describeAccounts({ start: (target) => DockerPusher.start(target) });
  },
  { root: true },
);
