import { isDescriptor, type Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';

/** What a manifest holds on to. */
export interface ManifestNode {
  /** All that it names: config, layers, and the children of an index, which may be blobs (BuildKit's cache). */
  readonly names: readonly Digest[];
  /** What it is attached to, such as the image that it signs. */
  readonly subject: Digest | undefined;
}

/** The manifests of one repository, and how they hang together. */
export type ManifestGraph = ReadonlyMap<Digest, ManifestNode>;

/** The fields that hold descriptors; `blobs` is that of artifact manifests, which came and went. */
const lists = ['layers', 'manifests', 'blobs'] as const;

/**
 * Reads what a stored manifest holds on to, whatever its media type is.
 * @throws RegistryError MANIFEST_INVALID
 */
export function nodeOf(bytes: Buffer): ManifestNode {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new RegistryError('MANIFEST_INVALID', 'the manifest is not JSON', { cause });
  }
  const fields = (document ?? {}) as Record<string, unknown>;
  const listed = lists.flatMap((name): unknown[] => {
    const list = fields[name];
    return Array.isArray(list) ? list : [];
  });
  const named = [fields['config'], ...listed].filter(isDescriptor).map(digestIn);
  const { subject } = fields;
  return {
    names: [...new Set(named)],
    subject: isDescriptor(subject) ? subject.digest : undefined,
  };
}

function digestIn({ digest }: Descriptor): Digest {
  return digest;
}

/** What each manifest drags along besides what it names: what is attached to it. */
export function attachmentsOf(graph: ManifestGraph): Map<Digest, Digest[]> {
  const attached = new Map<Digest, Digest[]>();
  for (const [digest, { subject }] of graph) {
    if (subject === undefined) continue;
    const others = attached.get(subject);
    if (others === undefined) attached.set(subject, [digest]);
    else others.push(digest);
  }
  return attached;
}

/** The manifests that the roots lead to, themselves included, as far as they are in the graph. */
export function reachable(
  graph: ManifestGraph,
  attached: ReadonlyMap<Digest, readonly Digest[]>,
  roots: Iterable<Digest>,
): Set<Digest> {
  const found = new Set<Digest>();
  const open = [...roots];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    const node = graph.get(digest);
    if (node === undefined || found.has(digest)) continue;
    found.add(digest);
    // One by one: an index may have more children than a call may have arguments.
    for (const each of node.names) open.push(each);
    for (const each of attached.get(digest) ?? []) open.push(each);
  }
  return found;
}

/**
 * Puts manifests into an order in which each comes before what it needs: an index before its
 * children, a signature before what it signs. Removed in this order, no manifest that is left ever
 * lacks a part.
 */
export function parentsFirst(graph: ManifestGraph, digests: ReadonlySet<Digest>): Digest[] {
  const ordered: Digest[] = [];
  const begun = new Set<Digest>();
  for (const start of digests) {
    const open: { digest: Digest; isDone: boolean }[] = [{ digest: start, isDone: false }];
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      const { digest, isDone } = each;
      if (isDone) {
        ordered.push(digest);
        continue;
      }
      const node = graph.get(digest);
      if (node === undefined || !digests.has(digest) || begun.has(digest)) continue;
      begun.add(digest);
      open.push({ digest, isDone: true });
      for (const next of node.names) open.push({ digest: next, isDone: false });
      if (node.subject !== undefined) open.push({ digest: node.subject, isDone: false });
    }
  }
  // What is needed was done first.
  return ordered.toReversed();
}
