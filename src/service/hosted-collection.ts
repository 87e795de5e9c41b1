import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import picomatch from 'picomatch';
import type { Catalog } from '../catalog/catalog.ts';
import type { HostedConfig } from '../config/config.ts';
import { HostedCollection, type CollectionReport } from '../hosted/collection.ts';
import type { HostedLocks } from '../hosted/hosted-locks.ts';
import type { CollectionPolicy, Removal } from '../hosted/repository-collector.ts';
import type { RetentionRule } from '../hosted/retention.ts';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import type { Digest } from '../oci/digest.ts';
import { hostedUpstream, type QualifiedName } from '../oci/repository-name.ts';
import type { DiskBlobStore } from '../store/disk-blob-store.ts';
import type { Layout } from '../store/layout.ts';

/** Where what was pushed is kept, and how it is taken away. */
export interface HostedParts {
  readonly layout: Layout;
  readonly store: DiskBlobStore;
  readonly catalog: Pick<Catalog, 'unlink' | 'prune'>;
  readonly locks: HostedLocks;
  readonly removal: Removal;
  /** Takes a blob out of the store and out of memory; whether there was one. */
  readonly remove: (digest: Digest) => Promise<boolean>;
}

/** Told of what a collection cannot look through. */
export type OnSkipped = (repository: QualifiedName, error: unknown) => void;

/** Collects what was pushed, once, as the configuration says. */
export async function collectHosted(
  config: HostedConfig,
  parts: HostedParts,
  onSkipped: OnSkipped,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<CollectionReport> {
  const { layout, store } = parts;
  const collection = new HostedCollection({
    ...parts,
    policy: collectionPolicy(config),
    usedAt: async (digest) => {
      const file = await stat(layout.blob(digest)).catch(() => undefined);
      return Math.max(file?.mtimeMs ?? 0, store.lastUse.noted(digest) ?? 0);
    },
    used: (digest) => store.used(digest),
    survey: (until) => store.survey(until),
    onSkipped,
  });
  const report = await collection.run(dryRun, signal);
  if (!dryRun) {
    await store.flush();
    await writeFileAtomic(lastRunFile(layout), `${JSON.stringify({ endedAt: Date.now() })}\n`, {
      tmpDir: layout.temporary,
    });
  }
  return report;
}

/** Where it is noted when the last run has ended. */
export function lastRunFile(layout: Layout): string {
  return join(layout.root, 'gc.json');
}

/** What the configuration says about what goes. */
export function collectionPolicy({ gc, rules }: HostedConfig): CollectionPolicy {
  const compiled = rules.map(
    ({ repositories, tags, immutable, keep_last: keepLast, keep_for: keepFor }) => ({
      covers: picomatch([...repositories]),
      rule: { isAbout: picomatch([...tags]), immutable, keepLast, keepFor },
    }),
  );
  return {
    grace: gc.grace,
    untagged: gc.untagged,
    rules: (key): readonly RetentionRule[] => {
      const name = key.slice(hostedUpstream.length + 1);
      const own = compiled.filter(({ covers }) => covers(name)).map(({ rule }) => rule);
      // Where none says how many to keep, all tags stay: nobody has to read them.
      return own.some(({ keepLast, keepFor }) => (keepLast ?? keepFor) !== undefined) ? own : [];
    },
  };
}
