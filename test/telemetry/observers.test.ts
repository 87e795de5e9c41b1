import { describe, expect, it } from '@jest/globals';
import type { CatalogObserver } from '../../src/catalog/catalog-observer.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { createCatalogObserver, createUpstreamObserver } from '../../src/telemetry/observers.ts';
import { Occasional } from '../../src/telemetry/occasional.ts';
import type { UpstreamObserver } from '../../src/upstream/observer.ts';

/** A logger that remembers its lines. */
function remembering(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const at =
    (level: string) =>
    (message: string): void => {
      lines.push(`${level} ${message}`);
    };
  const logger: Logger = {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    child: () => logger,
  };
  return { logger, lines };
}

describe('the upstream observer', () => {
  it('counts requests, tells of the quota, and warns once about the same thing', async () => {
    const { logger, lines } = remembering();
    const metrics = new Metrics('1');
    const observer: UpstreamObserver = createUpstreamObserver(metrics, logger);
    observer.request({
      upstream: 'u',
      host: 'h',
      kind: 'blob',
      method: 'GET',
      status: 200,
      seconds: 1,
    });
    observer.thrift({ upstream: 'u', stretch: 10, seconds: 60, remaining: 9 });
    observer.thrift({ upstream: 'u', stretch: Infinity, seconds: 60, remaining: 0 });
    observer.thrift({ upstream: 'u', stretch: 1, seconds: undefined, remaining: undefined });
    observer.warning({ upstream: 'u', message: 'odd' });
    observer.warning({ upstream: 'u', message: 'odd' });
    observer.warning({ upstream: 'v', message: 'odd' });
    expect(lines).toEqual([
      'debug upstream request',
      'warn the quota of the upstream runs low: tags are checked less often',
      'warn the quota of the upstream is used up: tags are served unchecked until there is more',
      'info the quota of the upstream is plenty again: tags are checked as configured',
      'warn odd',
      'warn odd',
    ]);
    const text = await metrics.render();
    expect(text).toContain(
      'baleen_upstream_requests_total{upstream="u",host="h",kind="blob",status="200"} 1',
    );
  });
});

describe('the catalog observer', () => {
  it('counts every failure, logs the first, and tells when the cache comes and goes', async () => {
    const { logger, lines } = remembering();
    const metrics = new Metrics('1');
    const observer: CatalogObserver = createCatalogObserver(metrics, logger);
    for (let index = 0; index < 100; index += 1) {
      observer.error({ operation: 'shared.get', error: new Error('timeout') });
    }
    observer.up(false);
    observer.up(true);
    expect(lines).toHaveLength(3);
    const text = await metrics.render();
    expect(text).toContain('baleen_catalog_errors_total{operation="shared.get"} 100');
    expect(text).toContain('baleen_catalog_up 1');
  });
});

describe('an occasional message', () => {
  it('gets through once in its interval, and then tells how many were held back', () => {
    let now = 0;
    const occasional = new Occasional(10, () => now);
    const admitted = [0, 1, 9, 10, 11, 25].map((at) => {
      now = at;
      return occasional.admit('x');
    });
    expect(admitted).toEqual([0, undefined, undefined, 2, undefined, 1]);
    expect(occasional.admit('y')).toBe(0);
  });
});
