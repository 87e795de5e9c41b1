import { Writable } from 'node:stream';
import { createLogger as createWinston, format, transports, type Logger as Winston } from 'winston';
import { formatLine, type LineFormat, type LogLevel } from './line-format.ts';
import type { LineWriter } from './line-writer.ts';
import { redactText, redactValue } from './redact.ts';
import { renderError } from './render-error.ts';

/** What goes with a message. Errors may stand here as they are; secrets are taken out. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What every part that logs is given. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger whose lines all bear these fields. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LineFormat;
  /** Colours, in the pretty format. */
  readonly colour: boolean;
  readonly writer: LineWriter;
}

const levels = { error: 0, warn: 1, info: 2, debug: 3 } as const satisfies Record<LogLevel, number>;

/** What travels through winston; its own meta handling would merge a field `message` into the text. */
const record = Symbol('record');

/** A logger whose level can be changed, for all its children too. */
export interface LeveledLogger extends Logger {
  level: LogLevel;
}

/** A logger on winston, writing through the line writer that the access log shares. */
export function createLogger(options: LoggerOptions): LeveledLogger {
  const { level, format: lineFormat, colour, writer } = options;
  const stream = new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      writer.writeNow(line);
      done();
    },
  });
  const winston = createWinston({
    levels,
    level,
    format: format.printf((info) => {
      const { time, fields } = info[record as never] as { time: number; fields: LogFields };
      return formatLine(
        {
          time,
          level: info.level as LogLevel,
          message: redactText(String(info.message)),
          fields: cleanFields(fields, winston.level === 'debug'),
        },
        lineFormat,
        colour,
      );
    }),
    transports: [new transports.Stream({ stream, eol: '' })],
  });
  return new WinstonLogger(winston, {});
}

class WinstonLogger implements LeveledLogger {
  /** Shared with all children; so is its level. */
  readonly #winston: Winston;
  readonly #fields: LogFields;

  constructor(winston: Winston, fields: LogFields) {
    this.#winston = winston;
    this.#fields = fields;
  }

  get level(): LogLevel {
    return this.#winston.level as LogLevel;
  }

  set level(level: LogLevel) {
    this.#winston.level = level;
  }

  error(message: string, fields?: LogFields): void {
    this.#log('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#log('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#log('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#log('debug', message, fields);
  }

  child(fields: LogFields): Logger {
    return new WinstonLogger(this.#winston, { ...this.#fields, ...fields });
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (levels[level] > levels[this.level]) return;
    const all = fields === undefined ? this.#fields : { ...this.#fields, ...fields };
    this.#winston.log({ level, message, [record]: { time: Date.now(), fields: all } });
  }
}

function cleanFields(fields: LogFields, stack: boolean): LogFields {
  const shown = Object.entries(fields).map(([name, value]) =>
    value instanceof Error || name === 'error'
      ? ([name, value === undefined ? undefined : renderError(value, { stack })] as const)
      : ([name, value] as const),
  );
  const errors = new Map(shown.filter(([name, value]) => value !== fields[name]));
  const rest = redactValue(Object.fromEntries(shown.filter(([name]) => !errors.has(name))));
  return Object.fromEntries(
    shown.map(([name]) => [name, errors.get(name) ?? (rest as LogFields)[name]]),
  );
}
