import express, { type Express } from 'express';
import { createOperationsApi, type OperationsApiOptions } from './operations-api.ts';

/** What the operations port tells. */
export interface OperationsOptions {
  /** The metrics in the Prometheus text format, and its content type. */
  readonly metrics: () => Promise<{ contentType: string; body: string }>;
  /** Each part's state; a part that is down without stopping the service is `degraded`. */
  readonly readiness: () => Readonly<Record<string, 'ok' | 'degraded' | 'failing'>>;
  /** What stands under `/api/`. */
  readonly api: OperationsApiOptions;
}

/**
 * The operations API: never on the public port.
 * `/healthz` says that the process lives, `/readyz` whether it should get requests; `/api/` is for
 * the operator's commands.
 */
export function createOperationsApp(options: OperationsOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => {
    response.type('text/plain').send('ok\n');
  });
  app.get('/readyz', (_request, response) => {
    const checks = options.readiness();
    const isReady = !Object.values(checks).includes('failing');
    response.status(isReady ? 200 : 503).json({ status: isReady ? 'ok' : 'failing', checks });
  });
  app.get('/metrics', async (_request, response) => {
    const { contentType, body } = await options.metrics();
    response.set('Content-Type', contentType).send(body);
  });
  app.use('/api', createOperationsApi(options.api));
  app.use((_request, response) => {
    response.status(404).json({ error: 'try /metrics, /healthz, /readyz or /api/about' });
  });
  return app;
}
