import { isRegistryError } from '../oci/errors.ts';
import { formatPlatform, parsePlatforms } from '../oci/platform.ts';
import type { FoundImage, ImageFindings } from './image-findings.ts';
import { explainImageText, hasVersion, readImageText } from './image-text.ts';
import { parseTagPattern } from './tag-pattern.ts';

/** What a line says besides its images. */
type LineOptions = Omit<FoundImage, 'reference'>;

/**
 * Finds the images in plain text: one a line or several, with `#` before remarks. What else a line
 * says is for all of its images: `nginx:1.2* newest=3 platform=linux/amd64,linux/arm64`.
 */
export function findInLines(text: string, findings: ImageFindings): void {
  for (const [nth, line] of text.split('\n').entries()) {
    const words = withoutRemark(line)
      .split(/\s+/)
      .filter((word) => word !== '');
    // What `uniq -c` counts stands in front.
    const named = words.length > 1 && /^\d+$/.test(words[0] ?? '') ? words.slice(1) : words;
    if (named.length > 0) readWords(named, nth + 1, findings);
  }
}

/** By its place: a pattern for all that follows would look through the rest of the line at every `#`. */
function withoutRemark(line: string): string {
  const at = line.search(/(?:^|\s)#/);
  return at < 0 ? line : line.slice(0, at);
}

function readWords(words: readonly string[], line: number, findings: ImageFindings): void {
  const fault = (message: string): void => findings.fault(line, message);
  const options = readOptions(words.filter(isOption), fault);
  if (options === undefined) return;
  for (const word of words.filter((each) => !isOption(each)).flatMap(namesIn)) {
    const read = readImageText(word);
    if (read.kind === 'image') addWith(read.reference, options, findings, fault);
    else if (read.kind !== 'nothing') fault(explainImageText(word, read.kind));
  }
}

function isOption(word: string): boolean {
  return /^[a-z]+=/.test(word);
}

/** Names that a word holds: they may be quoted, and divided by commas. A pattern may have commas in it. */
function namesIn(word: string): string[] {
  const bare = word.replaceAll(/["'`]/g, '');
  return bare.includes('{') ? [bare.replace(/(?<![,;])[,;]+$/, '')] : bare.split(/[,;]/);
}

function addWith(
  reference: string,
  options: LineOptions,
  findings: ImageFindings,
  fault: (message: string) => void,
): void {
  if (options.newest === undefined || parseTagPattern(reference) !== undefined) {
    findings.add({ reference, ...options });
  } else if (hasVersion(reference)) {
    fault(`newest is for patterns, such as nginx:1.2*, and "${reference}" is one image`);
  } else {
    findings.add({ reference: `${reference}:*`, ...options });
  }
}

/** Undefined where one of them is wrong, and what is wrong has been said. */
function readOptions(
  words: readonly string[],
  fault: (message: string) => void,
): LineOptions | undefined {
  let options: LineOptions = {};
  for (const word of words) {
    const [name = '', value = ''] = word.split('=', 2);
    if (name === 'platform' || name === 'platforms') {
      const platforms = readPlatforms(value, fault);
      if (platforms === undefined) return undefined;
      options = { ...options, platforms };
    } else if (name === 'newest') {
      if (!/^[1-9]\d{0,3}$/.test(value)) {
        fault(`"${word.slice(0, 100)}": expected a number of versions, such as newest=3`);
        return undefined;
      }
      options = { ...options, newest: Number(value) };
    } else {
      fault(`"${word.slice(0, 100)}" is no option: there are platform= and newest=`);
      return undefined;
    }
  }
  return options;
}

function readPlatforms(value: string, fault: (message: string) => void): string[] | undefined {
  try {
    const platforms = parsePlatforms(value.split(','));
    return platforms === 'all' ? ['all'] : platforms.map(formatPlatform);
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    fault(error.message);
    return undefined;
  }
}
