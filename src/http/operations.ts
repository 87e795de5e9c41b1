import type { RequestListener } from 'node:http';
import express, { type Express, type RequestHandler } from 'express';
import { foreignFault, type KnownHosts } from './operations-origin.ts';
import { createOperationsApi, type OperationsApiOptions } from './operations-api.ts';

/** What the operations port tells. */
export interface OperationsOptions {
  /** The metrics in the Prometheus text format, and its content type. */
  readonly metrics: () => Promise<{ contentType: string; body: string }>;
  /** Each part's state; a part that is down without stopping the service is `degraded`. */
  readonly readiness: () => Readonly<Record<string, 'ok' | 'degraded' | 'failing'>>;
  /** The registry API with nothing held back, for who scans images; left out where nobody needs it. */
  readonly registry?: { readonly app: RequestListener; readonly isOpen: () => boolean };
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
  if (options.registry !== undefined) app.use(scannersDoor(options.registry, options.api.hosts));
  app.use((_request, response) => {
    response.status(404).json({ error: 'try /metrics, /healthz, /readyz or /api/about' });
  });
  return app;
}

/**
 * Lets scanners pull what is held back until they have scanned it. Accounts and their rules hold as
 * on the registry's own port; whoever reaches this one could also say that an image is good.
 */
function scannersDoor(
  { app, isOpen }: NonNullable<OperationsOptions['registry']>,
  hosts: KnownHosts,
): RequestHandler {
  return (request, response, next) => {
    const { method, path, headers } = request;
    const isToken = path.startsWith('/auth/');
    const isPull = /^(\/[^/]+)?\/v2(\/|$)/.test(path) && (method === 'GET' || method === 'HEAD');
    const isForeign = foreignFault(headers.host, headers.origin, hosts) !== undefined;
    if (isOpen() && (isToken || isPull) && !isForeign) app(request, response);
    else next();
  };
}
