import { CommandFailure, type CommandContext, type Input } from './context.ts';

/** Bytes of standard input that a password may be; bcrypt heeds 72. */
const maxInput = 4096;

/** bcrypt looks at no more: what is longer would seem to be safer than it is. */
const maxBytes = 72;

/**
 * Asks for a new password: twice on a terminal, which shows nothing of it; else it stands on
 * standard input, and one line break at its end is no part of it.
 * @throws CommandFailure
 */
export async function askPassword(context: CommandContext, fromInput: boolean): Promise<string> {
  const { stdin } = context;
  const isTerminal = stdin.isTTY === true && stdin.setRawMode !== undefined;
  if (!fromInput && !isTerminal) {
    throw new CommandFailure('there is no terminal to ask for the password: --password-stdin');
  }
  const password = fromInput ? await readAll(stdin) : await askTwice(context);
  const fault = passwordFault(password);
  if (fault !== undefined) throw new CommandFailure(fault);
  return password;
}

function passwordFault(password: string): string | undefined {
  if (password === '') return 'the password is empty';
  if (/\p{Cc}/u.test(password)) return 'a password is one line, and holds no control characters';
  if (Buffer.byteLength(password) <= maxBytes) return undefined;
  return `a password has at most ${maxBytes} bytes: bcrypt ignores the rest`;
}

async function readAll(stdin: Input): Promise<string> {
  let text = '';
  stdin.setEncoding('utf8');
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > maxInput) throw new CommandFailure('the password is too long');
  }
  return text.replace(/\r?\n$/, '');
}

async function askTwice({ stdin, stderr }: CommandContext): Promise<string> {
  const lines = new HiddenLines(stdin);
  try {
    stderr('Password: ');
    const password = await lines.next();
    stderr('\nOnce more: ');
    const again = await lines.next();
    stderr('\n');
    if (again !== password)
      throw new CommandFailure('the two are not the same; nothing is changed');
    return password;
  } finally {
    lines.close();
  }
}

/** Lines typed on a terminal that shows none of them. What is pasted may be several. */
class HiddenLines {
  readonly #stdin: Input;
  #typed: string[] = [];
  #lines: string[] = [];
  #waiting: PromiseWithResolvers<string> | undefined;

  constructor(stdin: Input) {
    this.#stdin = stdin;
    stdin.setRawMode?.(true);
    stdin.setEncoding('utf8');
    stdin.on('data', this.#onData);
    stdin.on('end', this.#onEnd);
    stdin.resume();
  }

  /** @throws CommandFailure where whoever types wants no more */
  async next(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return line;
    this.#waiting = Promise.withResolvers<string>();
    return this.#waiting.promise;
  }

  close(): void {
    this.#stdin.off('data', this.#onData);
    this.#stdin.off('end', this.#onEnd);
    this.#stdin.setRawMode?.(false);
    this.#stdin.pause();
  }

  readonly #onData = (chunk: string | Buffer): void => {
    for (const key of String(chunk)) this.#take(key);
  };

  readonly #onEnd = (): void => this.#stop();

  #take(key: string): void {
    if (key === '\r' || key === '\n') this.#endLine();
    // Ctrl-C and Ctrl-D.
    else if (key === '\u0003' || key === '\u0004') this.#stop();
    // Backspace, and Ctrl-U for the whole line.
    else if (key === '\u007F' || key === '\b') this.#typed.pop();
    else if (key === '\u0015') this.#typed = [];
    else this.#typed.push(key);
  }

  #endLine(): void {
    const line = this.#typed.join('');
    this.#typed = [];
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#lines.push(line);
    else waiting.resolve(line);
  }

  #stop(): void {
    this.#waiting?.reject(new CommandFailure('broken off; nothing is changed'));
    this.#waiting = undefined;
  }
}
