import { ContainerdPusher } from '../support/clients/containerd-pusher.ts';
import { describeAccounts } from '../support/account-suite.ts';
import { describeWith } from '../support/describe-with.ts';
import { describePushes, type PushSuite } from '../support/push-suite.ts';

await describeWith(
  'containerd that pushes to Baleen',
  ['containerd', 'runc', 'busybox', 'htpasswd'],
  () => {
    const suite: PushSuite = {
      start: (target) => ContainerdPusher.start(target),
      // An image that was imported came from nowhere, so that there is nothing to mount from.
      mounts: false,
      showsMessages: false,
    };
    describePushes(suite);
    describeAccounts(suite);
  },
  { root: true },
);
