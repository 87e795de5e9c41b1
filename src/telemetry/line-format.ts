import { styleText } from 'node:util';

/** How lines are written: for machines, or for a person. */
export type LineFormat = 'json' | 'pretty';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** One line before it is written; its fields come after these three, in their own order. */
export interface LineRecord {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly level: LogLevel;
  readonly message: string;
  /** Free of secrets, and fit for JSON. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Characters that JSON lets through and that terminals and log viewers act upon: DEL and the C1
 * controls, line and paragraph separators, marks that change the direction of text.
 */
const treacherous = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** What needs no escape in JSON, nor on a terminal: the case of nearly every string that is logged. */
const harmless = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** A JSON string that stays on its line wherever it is shown. */
export function quote(text: string): string {
  return harmless.test(text) ? `"${text}"` : escapeTreacherous(JSON.stringify(text));
}

/** The text itself where that is plain, else as a JSON string. */
export function bare(text: string): string {
  return harmless.test(text) && text !== '' ? text : quote(text);
}

function escapeTreacherous(json: string): string {
  return json.replaceAll(
    treacherous,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

let lastTime = Number.NaN;
let lastText = '';

/** ISO 8601 in UTC; the last one is remembered, since many lines share a millisecond. */
export function timestamp(time: number): string {
  if (time !== lastTime) {
    lastText = new Date(time).toISOString();
    lastTime = time;
  }
  return lastText;
}

/** Formats one line, without its end. */
export function formatLine(record: LineRecord, format: LineFormat, colour: boolean): string {
  return format === 'json' ? jsonLine(record) : prettyLine(record, colour);
}

const reserved: ReadonlySet<string> = new Set(['ts', 'level', 'msg']);

function jsonLine({ time, level, message, fields }: LineRecord): string {
  let line = `{"ts":"${timestamp(time)}","level":"${level}","msg":${quote(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    const json: string | undefined = JSON.stringify(value);
    const key = reserved.has(name) ? `field_${name}` : name;
    if (json !== undefined) line += `,${quote(key)}:${escapeTreacherous(json)}`;
  }
  return `${line}}`;
}

const colours = { error: 'red', warn: 'yellow', info: 'green', debug: 'gray' } as const;

function prettyLine({ time, level, message, fields }: LineRecord, colour: boolean): string {
  const stacks: string[] = [];
  let line = `${prettyHead(time, level, colour)} ${bare(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const shown = typeof value === 'object' ? withoutStack(value, stacks) : value;
    const text = typeof shown === 'string' ? prettyValue(shown) : JSON.stringify(shown);
    line += ` ${paint('gray', `${bare(name)}=`, colour)}${escapeTreacherous(text)}`;
  }
  const traces = stacks.flatMap((stack) =>
    stack.split('\n').map((each) => `\n    ${bare(each.trim())}`),
  );
  return line + traces.join('');
}

/** The beginning of a line for people: the time of day, and the level. */
export function prettyHead(time: number, level: LogLevel, colour: boolean): string {
  const clock = paint('gray', timestamp(time).slice(11, 23), colour);
  return `${clock} ${paint(colours[level], level.toUpperCase().padEnd(5), colour)}`;
}

/** Colours a text where colours are wanted. */
export function paint(
  style: Parameters<typeof styleText>[0],
  text: string,
  colour: boolean,
): string {
  return colour ? styleText(style, text, { validateStream: false }) : text;
}

/** A stack is for its own lines. */
function withoutStack(value: object | null, stacks: string[]): unknown {
  if (value === null || !('stack' in value) || typeof value.stack !== 'string') return value;
  const { stack, ...rest } = value;
  stacks.push(stack);
  return rest;
}

function prettyValue(text: string): string {
  return text.includes(' ') ? JSON.stringify(text) : bare(text);
}
