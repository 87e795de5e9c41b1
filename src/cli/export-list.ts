import { parseExportTarget, type ExportSources } from '../bundle/export-target.ts';
import { isRegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { expandTagPattern, parseTagPattern } from '../warm/tag-pattern.ts';
import type { FoundImage } from '../warm/image-findings.ts';
import { CommandFailure, type Input } from './context.ts';
import { describeFaults, gatherImages, WarmListFault } from './warm-list.ts';

/**
 * The images that files name, understood as `baleen warm -f` does: without a tag it is `latest`, and a
 * pattern is what is stored of the tags that fit. Of which platforms, is for the export to say.
 * @throws CommandFailure also where something in a list is no image: a bundle is whole, or is not written
 */
export async function listedImages(
  files: readonly string[],
  stdin: Input,
  sources: ExportSources,
): Promise<string[]> {
  if (files.length === 0) return [];
  const { images, faults } = await gatherImages([], files, stdin).catch((error: unknown) => {
    throw error instanceof WarmListFault ? failure(error.message, error) : error;
  });
  if (faults.length > 0) throw new CommandFailure(describeFaults(faults).trimEnd());
  if (images.length === 0) throw new CommandFailure('the list names no image');
  const names: string[] = [];
  for (const image of images) names.push(...(await namesOf(image, sources)));
  return names;
}

async function namesOf(
  { reference, newest }: FoundImage,
  sources: ExportSources,
): Promise<string[]> {
  try {
    const pattern = parseTagPattern(reference);
    if (pattern === undefined) return [withTag(reference)];
    const stored = async (name: string): Promise<readonly string[]> => {
      const { source, repository } = parseExportTarget(name, sources);
      return source.catalog.tags(repository);
    };
    return await expandTagPattern(pattern, newest, stored, new AbortController().signal);
  } catch (error) {
    throw isRegistryError(error) ? failure(`${reference}: ${error.message}`, error) : error;
  }
}

function withTag(reference: string): string {
  const { tag, digest } = parseImageReference(reference);
  return tag === undefined && digest === undefined ? `${reference}:latest` : reference;
}

function failure(message: string, cause: unknown): CommandFailure {
  return new CommandFailure(message, { cause });
}
