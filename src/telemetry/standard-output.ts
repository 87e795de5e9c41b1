import { formatLine, type LineFormat } from './line-format.ts';
import { LineWriter } from './line-writer.ts';

/** The line writer on standard output, for the logger and the access log alike. */
export function openStandardOutput(format: LineFormat, colour: boolean): LineWriter {
  const writer = new LineWriter(process.stdout, {
    dropped: (lines) =>
      formatLine(
        {
          time: Date.now(),
          level: 'warn',
          message: 'log lines were dropped: standard output is not being read fast enough',
          fields: { lines },
        },
        format,
        colour,
      ),
  });
  process.once('exit', () => writer.flush());
  return writer;
}

/** Whether a terminal is there that shows colours, and nobody objects (no-color.org). */
export function wantsColour(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}
