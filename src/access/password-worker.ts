/*
 * The thread that compares passwords: bcrypt takes 64 ms at the usual cost, for which nothing else
 * may wait. It is not imported but run: see password-checks.ts.
 */
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';
import type { Comparison, Compared } from './password-checks.ts';

const port = parentPort;
port?.on('message', ({ id, password, hash }: Comparison) => {
  port.postMessage({ id, isRight: compareSync(password, hash) } satisfies Compared);
});
