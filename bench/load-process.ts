/** The load generator: one process for all clients, so that its cost is known and small. */
import { runBurst } from './load-burst.ts';
import { runPush } from './load-push.ts';
import { runSlow } from './load-slow.ts';
import { runWindow } from './load-window.ts';
import type { Answer, BurstResult, Job, PushResult, SlowResult, WindowResult } from './messages.ts';

type Result = WindowResult | BurstResult | PushResult | SlowResult;

process.on('message', (job: Job) => {
  void run(job).then(
    (value) => reply({ value }),
    (error: unknown) => reply({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

function run(job: Job): Promise<Result> {
  switch (job.kind) {
    case 'window':
      return runWindow(job);
    case 'burst':
      return runBurst(job);
    case 'push':
      return runPush(job);
    case 'slow':
      return runSlow(job);
  }
}

function reply(answer: Answer<Result>): void {
  process.send?.(answer);
}
