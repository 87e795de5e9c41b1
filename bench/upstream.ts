import { Child } from './child.ts';
import type { PathRecord, UpstreamCommand, UpstreamContent } from './messages.ts';

/** The registry that all servers of the bench pull from. */
export class Upstream {
  readonly port: number;
  readonly #child: Child;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(content: UpstreamContent): Promise<Upstream> {
    const child = new Child('./upstream-process.ts');
    try {
      const { port } = await child.next<{ port: number }>(10_000);
      const command: UpstreamCommand = { kind: 'content', content };
      await child.ask(command, 30_000);
      return new Upstream(child, port);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  /** What it was asked, by path, since the last call. */
  async records(): Promise<Readonly<Record<string, PathRecord>>> {
    const command: UpstreamCommand = { kind: 'records' };
    return this.#child.ask(command, 10_000);
  }

  kill(): void {
    this.#child.kill();
  }
}
