import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { ProcessFailure, watchForFailures } from '../../src/service/process-failures.ts';
import { LineWriter } from '../../src/telemetry/line-writer.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

/** Any text that names this file, as a stack from here does. */
const here: unknown = expect.stringContaining('process-failures.test.ts');

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly error: { readonly message: string; readonly stack: string; readonly causes?: string[] };
}

describe('what nobody caught', () => {
  let events: EventEmitter;
  let counted: string[];
  let stopped: ProcessFailure[];
  let lines: () => Line[];

  beforeEach(() => {
    events = new EventEmitter();
    counted = [];
    stopped = [];
    const stream = new PassThrough({ encoding: 'utf8' });
    const writer = new LineWriter(stream, { dropped: String });
    let text = '';
    lines = () => {
      text += (stream.read() as string | null) ?? '';
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
    };
    watchForFailures(events, {
      logger: createLogger({ level: 'info', format: 'json', colour: false, writer }),
      metrics: { processFailed: (kind) => counted.push(kind) },
      stop: (failure) => stopped.push(failure),
      exit: () => undefined,
    });
  });

  it('is logged with its stack, counted, and survived where it is a rejection', () => {
    events.emit('unhandledRejection', new TypeError('a whale is no fish'));
    expect(lines()).toMatchObject([
      {
        level: 'error',
        error: {
          message: 'a whale is no fish',
          stack: here,
        },
      },
    ]);
    expect(counted).toEqual(['rejection']);
    expect(stopped).toEqual([]);
  });

  it('stops the service, once, where it is an exception', () => {
    const first = new Error('the first');
    events.emit('uncaughtException', first);
    events.emit('uncaughtException', new Error('the second'));
    expect(lines().map(({ error }) => error.message)).toEqual(['the first', 'the second']);
    expect(counted).toEqual(['exception', 'exception']);
    expect(stopped.map(({ cause }) => cause)).toEqual([first]);
  });

  it('shows no secret', () => {
    events.emit('unhandledRejection', new Error('refused: Authorization: Basic d2hhbGU6a3JpbGw='));
    expect(JSON.stringify(lines())).toContain('[redacted]');
    expect(JSON.stringify(lines())).not.toContain('d2hhbGU6a3JpbGw=');
  });

  it('has a stack also where it bears a code', () => {
    events.emit('unhandledRejection', Object.assign(new Error('read'), { code: 'ECONNRESET' }));
    expect(lines()[0]?.error).toMatchObject({
      stack: here,
      causes: ['ECONNRESET: read'],
    });
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'krill'],
    ['an object without a prototype', Object.create(null) as object],
    ['a symbol', Symbol('krill')],
  ])('may be no error at all: %s', (_what, thrown) => {
    events.emit('unhandledRejection', thrown);
    expect(lines()).toMatchObject([{ level: 'error' }]);
  });

  it('is one line and a number where it comes in a storm', () => {
    for (let index = 0; index < 1000; index++) {
      events.emit('unhandledRejection', new Error('again'));
    }
    expect(lines()).toHaveLength(1);
    expect(counted).toHaveLength(1000);
  });
});
