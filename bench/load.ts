import { Child } from './child.ts';
import type { Job, JobResult } from './messages.ts';

/** The load generator, from the bench's side. */
export class Load {
  #child = new Child('./load-process.ts');

  /** Runs one job. Rejects where a client met an error that spoils the figure, or after two minutes. */
  async run<J extends Job>(job: J): Promise<JobResult<J>> {
    // One job's misfortune is not the next one's.
    if (this.#child.isOver) this.#child = new Child('./load-process.ts');
    return this.#child.ask<JobResult<J>>(job, 120_000);
  }

  kill(): void {
    this.#child.kill();
  }
}
