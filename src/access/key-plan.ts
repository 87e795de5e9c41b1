/*
 * When the keys that tokens are signed with come and go: decided here, done in signing-keys.ts.
 */

/** A key, as far as its age goes. */
export interface AgingKey {
  readonly kid: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
}

export interface KeyTimes {
  /** How long a key signs. */
  readonly signs: number;
  /** How long it is still accepted after another one has taken over. */
  readonly outlives: number;
}

export interface KeyPlan<K extends AgingKey> {
  /** Signs from now on; undefined where there is none. */
  readonly signing: K | undefined;
  /** Whether a new one is due. Until there is one, `signing` goes on. */
  readonly isDue: boolean;
  /** No token of theirs can be valid any more. */
  readonly expired: readonly K[];
}

/** The newest key signs; one that was followed by another dies some time after that. */
export function planKeys<K extends AgingKey>(
  keys: readonly K[],
  { signs, outlives }: KeyTimes,
  now: number,
): KeyPlan<K> {
  const byAge = keys.toSorted(
    (one, other) => one.created - other.created || (one.kid < other.kid ? -1 : 1),
  );
  const signing = byAge.at(-1);
  return {
    signing,
    isDue: signing === undefined || now >= signing.created + signs,
    expired: byAge.filter((_key, index) => {
      const follower = byAge[index + 1];
      return follower !== undefined && now >= follower.created + outlives;
    }),
  };
}
