import { SkopeoPusher } from '../support/clients/skopeo-pusher.ts';
import { describeAccounts } from '../support/account-suite.ts';
import { describeWith } from '../support/describe-with.ts';
import { describePushes } from '../support/push-suite.ts';
import type { RunnableImage } from '../support/runnable-image.ts';

/** Every blob and manifest of an image. */
const contents = ({ manifest, children, blobs }: RunnableImage): string =>
  [...new Set([manifest, ...children, ...blobs].map(({ digest }) => digest))].toSorted().join('\n');

await describeWith('skopeo that pushes to Baleen', ['skopeo', 'busybox', 'htpasswd'], () => {
  describePushes({ start: (target) => SkopeoPusher.start(target), expected: contents });
  describeAccounts({ start: (target) => SkopeoPusher.start(target), expected: contents });
});
