import { PodmanPusher } from '../support/clients/podman-pusher.ts';
import { describeAccounts } from '../support/account-suite.ts';
import { describeWith } from '../support/describe-with.ts';
import { describePushes } from '../support/push-suite.ts';

await describeWith(
  'podman that pushes to Baleen',
  ['podman', 'runc', 'busybox', 'htpasswd'],
  () => {
    describePushes({ start: (target) => PodmanPusher.start(target) });
    describeAccounts({ start: (target) => PodmanPusher.start(target) });
  },
  { root: true },
);
