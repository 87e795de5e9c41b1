import { notesOf } from './not-run.ts';

/**
 * A Jest reporter that has the last word: loudly what was not run and why, then one plain line
 * with the totals.
 */
export default class SummaryReporter {
  /**
   * @param {Set<unknown>} _contexts
   * @param {import('@jest/reporters').AggregatedResult} results
   */
  onRunComplete(_contexts, results) {
    const directory = process.env['BALEEN_TEST_RUN'];
    const notes = directory === undefined ? [] : notesOf(directory);
    const lines = [];
    if (notes.length > 0) {
      const rule = '!'.repeat(78);
      lines.push('', rule, `NOT RUN: ${notes.length} suite(s)`);
      lines.push(...notes.map((note) => `  NOT RUN  ${note}`), rule);
    }
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const total = `${results.numPassedTests} passed, ${failed} failed`;
    lines.push('', skipped > 0 ? `${total}, ${skipped} skipped` : total);
    // Jest adds its own summary behind all reporters; only at the exit is the last word ours.
    process.once('exit', () => process.stdout.write(`${lines.join('\n')}\n`));
  }
}
