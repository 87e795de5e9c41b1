import { ReferrerRecord } from '../catalog/referrer-record.ts';
import type { ExportSources } from '../bundle/export-target.ts';
import type { ImageSource } from '../bundle/image-source.ts';
import type { Config } from '../config/config.ts';
import { isDescriptor, type Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import { hostedNames } from '../service/hosted-names.ts';
import { upstreamNames } from '../service/upstream-names.ts';
import type { CommandContext } from './context.ts';
import { openHostedWorkbench, openWorkbench, type Workbench } from './workbench.ts';

/** Where images are taken from: what is cached and what was pushed, as it lies on the disk. */
export interface OpenSources extends ExportSources, AsyncDisposable {}

/**
 * Opens the data directory, in which a service may be at work: blobs never change.
 * @throws CommandFailure where there is none
 */
export async function openSources(config: Config, context: CommandContext): Promise<OpenSources> {
  const cached = await openWorkbench(config, context);
  const hosted = await openHostedWorkbench(config, context);
  const names = upstreamNames(config);
  const isHosted = hostedNames(config);
  return {
    names,
    cached: sourceOf(cached, (repository, subject) => listed(cached, repository, subject)),
    hosted: hosted && sourceOf(hosted, pushedReferrers(hosted, context)),
    // As the route of a request has it: an upstream's name in front always means the upstream, and
    // so does what dockerd asks its mirror for where a user says `alpine`.
    isHosted: (name) => {
      const [front = '', ...rest] = name.split('/');
      if (rest.length > 0 && names.upstreams.has(front)) return false;
      if (names.defaultUpstream === 'docker.io' && front === 'library') return false;
      return isHosted?.(name) === true;
    },
    [Symbol.asyncDispose]: async () => {
      await hosted?.[Symbol.asyncDispose]();
      await cached[Symbol.asyncDispose]();
    },
  };
}

function sourceOf(
  { catalog, read, sizeOf, layout }: Workbench,
  referrers: ImageSource['referrers'],
): ImageSource {
  return { catalog, read, sizeOf, pathOf: (digest) => layout.blob(digest), referrers };
}

/** What the upstream last said. */
async function listed(
  { catalog }: Workbench,
  repository: QualifiedName,
  subject: Digest,
): Promise<Descriptor[]> {
  const listing = await catalog.listing(repository, `referrers-${subject.replace(':', '-')}`);
  return Array.isArray(listing?.value) ? listing.value.filter(isDescriptor) : [];
}

function pushedReferrers(
  { layout }: Workbench,
  { stderr }: CommandContext,
): ImageSource['referrers'] {
  const observer = {
    error: ({ operation, error }: { operation: string; error: unknown }): void =>
      stderr(`${operation}: ${String(error)}\n`),
    up: (): void => undefined,
  };
  const record = new ReferrerRecord({ directory: layout.root, observer });
  return (repository, subject) => record.list(repository, subject);
}
