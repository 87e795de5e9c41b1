import type { ImageFindings } from './image-findings.ts';
import { explainImageText, readImageText } from './image-text.ts';

/** A column of a table: where it begins and ends in each line, in characters. */
interface Column {
  readonly title: string;
  readonly start: number;
  readonly end: number;
}

/** The columns with images in them: `docker images`, `crictl images`, `docker ps`, `kubectl get -o wide`, `ctr images ls`. */
const imageColumns: ReadonlySet<string> = new Set(['REPOSITORY', 'IMAGE', 'IMAGES', 'REF']);

/**
 * Finds the images in a table as container tools print them for people.
 * @returns whether it was one
 */
export function findInTable(text: string, findings: ImageFindings): boolean {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.trim() !== '');
  let columns = columnsOf(lines[first] ?? '');
  if (columns === undefined) return false;
  if (!hasImages(columns)) {
    findings.fault(first + 1, 'this is a table without images: give it as JSON (-o json)');
    return true;
  }
  for (const [nth, line] of lines.entries()) {
    if (nth <= first || line.trim() === '') continue;
    // Several tables may follow each other.
    const next = columnsOf(line);
    if (next !== undefined && hasImages(next)) columns = next;
    else for (const cell of imagesOf(line, columns)) offer(cell, nth + 1, findings);
  }
  return true;
}

/** Characters of a line of titles: kubectl aligns them with what stands below, which may be long. */
const longestTitles = 10_000;

/** The columns that a line of titles names; undefined where it is none. */
function columnsOf(line: string): Column[] | undefined {
  if (line.length > longestTitles || !/^[A-Z][A-Z ()/-]*$/.test(line.trimEnd())) return undefined;
  // A title may be two words: IMAGE ID.
  const titles = [...line.matchAll(/[A-Z()/-]+(?: [A-Z()/-]+)*/g)];
  const columns = titles.map(({ 0: title, index }, nth) => ({
    title,
    start: index,
    end: titles[nth + 1]?.index ?? Infinity,
  }));
  // A word alone may be anything, but for these.
  return columns.length > 1 || hasImages(columns) ? columns : undefined;
}

function hasImages(columns: readonly Column[]): boolean {
  return columns.some(({ title }) => imageColumns.has(title));
}

function imagesOf(line: string, columns: readonly Column[]): string[] {
  const cell = (wanted: (title: string) => boolean): string => {
    const column = columns.find(({ title }) => wanted(title));
    return column === undefined ? '' : line.slice(column.start, column.end).trim();
  };
  const tag = cell((title) => title === 'TAG');
  return cell((title) => imageColumns.has(title))
    .split(',')
    .map((name) => (tag === '' ? name : `${name}:${tag}`));
}

function offer(text: string, line: number, findings: ImageFindings): void {
  const read = readImageText(text);
  if (read.kind === 'image') findings.add({ reference: read.reference });
  // containerd lists the IDs of images beside their names.
  else if (read.kind !== 'nothing' && !text.startsWith('sha256:'))
    findings.fault(line, explainImageText(text, read.kind));
}
