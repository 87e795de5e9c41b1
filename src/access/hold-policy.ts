import type { Said } from './verdict.ts';

/** Which images are held back, and from whom. */
export interface HoldPolicy {
  /** By the repository's name: behind its upstream's, or bare where it is hosted. */
  readonly matches: (repository: string) => boolean;
  /** What becomes of an image without a verdict. */
  readonly onUnknown: 'deny' | 'allow';
  /** What those are told who pull one. */
  readonly message: string;
  /** Accounts that may pull all the same. */
  readonly exempt: ReadonlySet<string>;
}

/** Why an image is held back, for the client. */
export interface Held {
  readonly kind: 'unknown' | 'denied';
  readonly message: string;
}

/** Whether an image of a repository that the policy matches is held back; undefined where it may go out. */
export function heldBy(policy: HoldPolicy, said: Said | undefined): Held | undefined {
  if (said?.verdict === 'allow') return undefined;
  // Disputed, it has to be judged itself. Where nobody would, it stays refused.
  const isOpen = said?.isDisputed === true && policy.onUnknown === 'deny';
  if (said?.verdict === 'deny' && !isOpen) {
    const because = said.reason === undefined ? '' : `: ${said.reason}`;
    return { kind: 'denied', message: `this image may not be pulled${because}` };
  }
  return policy.onUnknown === 'allow' ? undefined : { kind: 'unknown', message: policy.message };
}
