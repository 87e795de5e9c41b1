import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { RegistryError } from '../../src/oci/errors.ts';
import type { LineFormat, LogLevel } from '../../src/telemetry/line-format.ts';
import { LineWriter } from '../../src/telemetry/line-writer.ts';
import { createLogger, type Logger } from '../../src/telemetry/logger.ts';

/** A logger, and everything it has written. */
function logging(
  format: LineFormat,
  level: LogLevel = 'info',
): { logger: Logger; text: () => string } {
  const stream = new PassThrough({ encoding: 'utf8', highWaterMark: 1 << 24 });
  const writer = new LineWriter(stream, { dropped: String, capacity: 1 << 24 });
  return {
    logger: createLogger({ level, format, colour: false, writer }),
    text: () => (stream.read() as string | null) ?? '',
  };
}

describe('the logger', () => {
  it('writes one JSON object a line: time, level, message, then the fields', () => {
    const { logger, text } = logging('json');
    logger.child({ request: 'r1' }).info('hello', { upstream: 'docker.io', bytes: 5 });
    expect(text()).toMatch(
      /^\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info","msg":"hello","request":"r1","upstream":"docker.io","bytes":5\}\n$/,
    );
  });

  it('writes lines for people', () => {
    const { logger, text } = logging('pretty');
    logger.warn('a warning', { upstream: 'docker.io', note: 'two words', n: 5 });
    expect(text()).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}a warning upstream=docker\.io note="two words" n=5\n$/,
    );
  });

  it('writes nothing below its level', () => {
    const { logger, text } = logging('json', 'warn');
    logger.info('a');
    logger.debug('b');
    expect(text()).toBe('');
    logger.error('c');
    expect(text()).toContain('"msg":"c"');
  });

  it('does not let a field pose as time, level or message', () => {
    const { logger, text } = logging('json');
    logger.info('real', { msg: 'forged', level: 'error', message: 'other' });
    const line = JSON.parse(text()) as Record<string, unknown>;
    expect(line).toMatchObject({
      msg: 'real',
      level: 'info',
      message: 'other',
      field_msg: 'forged',
    });
  });

  it('renders errors with code, message and causes; the stack on lines of its own for people', () => {
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const error = new RegistryError('UPSTREAM_UNAVAILABLE', undefined, { cause });
    const json = logging('json');
    json.logger.error('failed', { error });
    expect(JSON.parse(json.text())).toMatchObject({
      error: { code: 'UPSTREAM_UNAVAILABLE', causes: ['ECONNREFUSED: refused'] },
    });
    const pretty = logging('pretty');
    pretty.logger.error('failed', { error: new TypeError('oops') });
    expect(pretty.text()).toMatch(/error=\{"message":"oops"\}\n {4}"?TypeError: oops"?\n {4}at /);
    const debugging = logging('json', 'debug');
    debugging.logger.error('failed', { error });
    expect(JSON.parse(debugging.text())).toHaveProperty('error.stack');
  });

  it('takes secrets out of messages, fields and errors', () => {
    for (const format of ['json', 'pretty'] as const) {
      const { logger, text } = logging(format, 'debug');
      logger
        .child({ authorization: 'Bearer hunter2' })
        .info('at https://u:hunter2@h/?sig=hunter2', {
          password: 'hunter2',
          headers: { Authorization: 'Basic hunter2' },
          error: new Error('Authorization: Bearer hunter2', { cause: 'password=hunter2' }),
        });
      const written = text();
      expect(written).not.toContain('hunter2');
      expect(written).toContain('[redacted]');
    }
  });

  it('keeps to one line and one JSON object, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.dictionary(fc.string({ unit: 'binary' }), fc.anything()),
        (message, fields) => {
          const { logger, text } = logging('json');
          logger.info(message, fields);
          const lines = text()
            .trimEnd()
            .split(/[\n\r\u0085\u2028\u2029]/);
          expect(lines).toHaveLength(1);
          expect(JSON.parse(lines[0] ?? '')).toHaveProperty('level', 'info');
        },
      ),
    );
  });

  it('lets no control character reach a terminal', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        (message, value) => {
          const { logger, text } = logging('pretty');
          logger.info(message, { value, nested: { value } });
          expect(text().slice(0, -1)).not.toMatch(/\p{Cc}/u);
        },
      ),
    );
  });
});
