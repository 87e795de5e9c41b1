import { describe } from '@jest/globals';
import type { Program } from '../support/debian.ts';
import { describeWith } from '../support/describe-with.ts';
import { noteNotRun } from '../support/not-run.ts';
import { officialProgram } from './official-program.ts';

/**
 * A suite of the official conformance program, and of others that it needs. Where the program is
 * not to be had the suite is skipped, and the summary says so.
 */
export async function describeOfficial(
  name: string,
  programs: readonly Program[],
  suite: (program: string) => void,
): Promise<void> {
  const program = officialProgram();
  if (program !== undefined) {
    await describeWith(name, programs, () => suite(program));
    return;
  }
  noteNotRun(name, 'no oci-conformance on the path, and OCI_CONFORMANCE names none');
  describe.skip(name, () => suite(''));
}
