import { parseExportTarget, type ExportTarget } from '../bundle/export-target.ts';
import type { Choice } from '../bundle/image-walk.ts';
import { isRegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { parsePlatforms } from '../oci/platform.ts';
import type { FoundImage } from '../warm/image-findings.ts';
import { expandTagPattern, parseTagPattern } from '../warm/tag-pattern.ts';
import { CommandFailure, type CommandContext } from './context.ts';
import type { OpenSources } from './image-sources.ts';
import { describeFaults, gatherImages, WarmListFault } from './warm-list.ts';

/** What an export is asked for. */
export interface ExportRequest {
  /** As on the command line: without a tag, all of a repository. */
  readonly images: readonly string[];
  /** Lists such as `baleen warm` takes: without a tag, `latest`. */
  readonly files: readonly string[];
  /** Of what says nothing of its own. */
  readonly choice: Choice;
}

/**
 * Understands everything that is to be exported.
 * @throws CommandFailure where something is no image, or a pattern fits nothing that is on record
 */
export async function gatherTargets(
  { images, files, choice }: ExportRequest,
  sources: OpenSources,
  { stdin }: CommandContext,
): Promise<ExportTarget[]> {
  const targets: ExportTarget[] = [];
  for (const reference of images) {
    targets.push(...(await targetsOf({ reference }, choice, sources)));
  }
  if (files.length === 0) return targets;
  for (const image of await listed(files, stdin)) {
    targets.push(...(await targetsOf(withTag(image), choice, sources)));
  }
  return targets;
}

async function listed(
  files: readonly string[],
  stdin: CommandContext['stdin'],
): Promise<readonly FoundImage[]> {
  try {
    const { images, faults } = await gatherImages([], files, stdin);
    // A bundle that lacks half of a list would be found out about too late.
    if (faults.length > 0) throw new CommandFailure(describeFaults(faults).trimEnd());
    if (images.length === 0) throw new CommandFailure('the list names no image');
    return images;
  } catch (error) {
    throw error instanceof WarmListFault ? new CommandFailure(error.message) : error;
  }
}

/** As everybody means it in a list. */
function withTag(image: FoundImage): FoundImage {
  const { reference } = image;
  if (parseTagPattern(reference) !== undefined) return image;
  const { tag, digest } = parseImageReference(reference);
  return (tag ?? digest) ? image : { ...image, reference: `${reference}:latest` };
}

async function targetsOf(
  { reference, platforms, newest }: FoundImage,
  usual: Choice,
  sources: OpenSources,
): Promise<ExportTarget[]> {
  try {
    const choice = platforms === undefined ? usual : parsePlatforms(platforms);
    const references = await expanded(reference, newest, sources);
    return references.map((each) => ({ ...parseExportTarget(each, sources), choice }));
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    throw new CommandFailure(`${reference}: ${error.message}`, { cause: error });
  }
}

/** The tags that are on record, of a pattern. */
async function expanded(
  reference: string,
  newest: number | undefined,
  sources: OpenSources,
): Promise<string[]> {
  const pattern = parseTagPattern(reference);
  if (pattern === undefined) return [reference];
  const list = (name: string): Promise<readonly string[]> => {
    const { source, repository } = parseExportTarget(name, sources);
    return source.catalog.tags(repository);
  };
  return expandTagPattern(pattern, newest, list, new AbortController().signal);
}
