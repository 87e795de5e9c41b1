import { createConnection } from 'node:net';
import { once } from 'node:events';
import { Child } from './child.ts';
import { provide, which } from './debian.ts';
import { freePort } from './ports.ts';
import { tempDir, type TempDir } from './temp-dir.ts';

/** A real redis-server on a free port of 127.0.0.1, without persistence. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: TempDir;
  readonly #password: string | undefined;
  #child: Child | undefined;

  private constructor(port: number, folder: TempDir, password: string | undefined) {
    this.port = port;
    this.#folder = folder;
    this.#password = password;
  }

  /**
   * Starts a server and waits until it answers.
   * @throws where there is no redis-server and it cannot be installed
   */
  static async start({ password }: { password?: string } = {}): Promise<RedisServer> {
    const reason = await provide('redis-server');
    if (reason !== undefined)
      throw new Error(`apt-get install redis-server, then again: ${reason}`);
    const server = new RedisServer(await freePort(), tempDir('redis'), password);
    await server.start();
    return server;
  }

  /** Without user and password. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it (again) on the same port, empty. */
  async start(): Promise<void> {
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder.path];
    const secret = this.#password === undefined ? [] : ['--requirepass', this.#password];
    const args = [...place, ...secret, '--save', '', '--appendonly', 'no'];
    this.#child = new Child(which('redis-server') ?? 'redis-server', args);
    await this.#child.until('answers', async () => (await this.command('PING')) === '+PONG');
  }

  /** Kills it, so that every connection breaks and the next ones are refused. */
  async stop(): Promise<void> {
    await this.#child?.kill();
    this.#child = undefined;
  }

  /** Makes it hang: connections stay, and are even accepted by the kernel, but nothing is answered. */
  pause(): void {
    this.#child?.signal('SIGSTOP');
  }

  /** Ends the hanging; what came meanwhile is worked off. */
  resume(): void {
    this.#child?.signal('SIGCONT');
  }

  async flush(): Promise<void> {
    await this.command('FLUSHALL');
  }

  /** One inline command on a connection of its own; gives the reply's first line, or a bulk reply's text. */
  async command(...words: string[]): Promise<string> {
    const socket = createConnection(this.port, '127.0.0.1').setEncoding('utf8').setTimeout(2_000);
    socket.once('timeout', () => socket.destroy(new Error('redis-server does not answer')));
    try {
      await once(socket, 'connect');
      const login = this.#password === undefined ? [] : [['AUTH', this.#password]];
      let reply = '';
      for (const command of [...login, words]) {
        const parts = command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
        socket.write(`*${command.length}\r\n${parts.join('')}`);
        // One question after the other.
        reply = await readReply(socket);
      }
      return reply;
    } finally {
      socket.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#folder[Symbol.asyncDispose]();
  }
}

async function readReply(socket: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for (;;) {
    text += String((await once(socket, 'data'))[0]);
    const end = text.indexOf('\r\n');
    if (end < 0) continue;
    if (!text.startsWith('$') || text.startsWith('$-1')) return text.slice(0, end);
    const length = Number(text.slice(1, end));
    if (Buffer.byteLength(text) >= end + 2 + length + 2) return text.slice(end + 2, -2);
  }
}
