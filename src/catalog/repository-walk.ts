import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../lib/atomic-file.ts';
import { parseRepositoryName, qualify, type QualifiedName } from '../oci/repository-name.ts';
import { folders } from './record-layout.ts';

/** Folders being read at the same time. */
const width = 16;

/** What makes a folder a repository: something was pulled or pushed. A mere listing does not. */
const content: ReadonlySet<string> = new Set([folders.tags, folders.manifests, folders.blobs]);

/**
 * Finds every repository below the folder, in ASCII order. Links are not followed; what is not a
 * repository's name is passed over; what cannot be read is reported and passed over.
 * @param root a folder of upstreams, each a folder of repositories
 * @param marks the folders of which a repository must have one; by default those for content
 * @param linked told of each link, for who must not leave out what lies behind it
 */
export async function walkRepositories(
  root: string,
  failed: (error: unknown) => void,
  marks: ReadonlySet<string> = content,
  linked: (path: string) => void = () => undefined,
): Promise<QualifiedName[]> {
  const found: QualifiedName[] = [];
  const read = async (path: string): Promise<string[]> => {
    try {
      const entries = await readdir(join(root, path), { withFileTypes: true });
      for (const { name } of entries.filter((entry) => entry.isSymbolicLink())) {
        linked(join(root, path, name));
      }
      return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    } catch (error) {
      if (!isMissing(error)) failed(error);
      return [];
    }
  };
  const visit = async (path: string): Promise<string[]> => {
    const children = await read(path);
    const name = asQualifiedName(path);
    if (name !== undefined && children.some((child) => marks.has(child))) found.push(name);
    return children.filter((child) => !child.startsWith('_')).map((child) => `${path}/${child}`);
  };

  let level = await read('');
  while (level.length > 0) {
    const next: string[] = [];
    for (let start = 0; start < level.length; start += width) {
      const below = await Promise.all(level.slice(start, start + width).map(visit));
      next.push(...below.flat().filter((path) => asQualifiedName(path) !== undefined));
    }
    level = next;
  }
  return found.toSorted();
}

function asQualifiedName(path: string): QualifiedName | undefined {
  const slash = path.indexOf('/');
  if (slash < 0) return undefined;
  try {
    return qualify(path.slice(0, slash), parseRepositoryName(path.slice(slash + 1)));
  } catch {
    return undefined;
  }
}
