import { describe, expect, it } from '@jest/globals';
import type { UpstreamStatus } from '../../src/upstream/upstream-status.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';

/** The samples of one metric, as Prometheus reads them. */
async function samples(metrics: Metrics, name: string): Promise<string[]> {
  const lines = (await metrics.render()).split('\n');
  return lines.filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

const hit = {
  route: 'ns',
  upstream: 'docker.io',
  outcome: 'hit',
  method: 'GET',
  status: 200,
  bytes: 100,
  seconds: 0.002,
};

describe('the metrics', () => {
  it('count requests, bytes and durations, and count on when they are collected', async () => {
    const metrics = new Metrics('1.2.3');
    metrics.requestAnswered(hit);
    await metrics.render();
    metrics.requestAnswered(hit);
    metrics.requestAnswered({ ...hit, method: 'HEAD', bytes: 0 });
    metrics.requestAnswered({
      ...hit,
      route: undefined,
      upstream: undefined,
      outcome: undefined,
      status: 404,
    });
    expect(await samples(metrics, 'baleen_http_requests_total')).toEqual([
      'baleen_http_requests_total{route="ns",upstream="docker.io",outcome="hit",status="2xx",method="GET"} 2',
      'baleen_http_requests_total{route="ns",upstream="docker.io",outcome="hit",status="2xx",method="HEAD"} 1',
      'baleen_http_requests_total{route="none",upstream="none",outcome="none",status="4xx",method="GET"} 1',
    ]);
    expect(await samples(metrics, 'baleen_http_response_bytes_total')).toEqual([
      'baleen_http_response_bytes_total{route="ns",upstream="docker.io",outcome="hit"} 200',
      'baleen_http_response_bytes_total{route="none",upstream="none",outcome="none"} 100',
    ]);
    expect(await samples(metrics, 'baleen_http_request_duration_seconds_count')).toEqual([
      'baleen_http_request_duration_seconds_count{route="ns",outcome="hit"} 3',
      'baleen_http_request_duration_seconds_count{route="none",outcome="none"} 1',
    ]);
    expect(await samples(metrics, 'baleen_http_request_duration_seconds_bucket')).toContain(
      'baleen_http_request_duration_seconds_bucket{le="0.0025",route="ns",outcome="hit"} 3',
    );
  });

  it('never let a foreign party make ever new series', async () => {
    const metrics = new Metrics('1');
    for (let index = 0; index < 500; index += 1) {
      const upstream = `u${index}`;
      metrics.requestAnswered({
        ...hit,
        upstream,
        outcome: upstream,
        method: upstream,
        status: index * 7,
      });
      metrics.upstreamRequest({
        upstream: 'docker.io',
        host: `cdn${index}.example`,
        kind: 'blob',
        status: index * 7,
        seconds: 1,
      });
      metrics.errorAnswered(`E${index}`);
      metrics.downloadEnded('docker.io', `R${index}`);
      metrics.catalogFailed(`op${index}`);
    }
    const hosts = new Set(
      (await samples(metrics, 'baleen_upstream_requests_total')).map(
        (line) => /host="([^"]*)"/.exec(line)?.[1],
      ),
    );
    expect(hosts.size).toBe(51);
    expect(hosts).toContain('other');
    expect((await samples(metrics, 'baleen_errors_total')).length).toBe(101);
    expect((await samples(metrics, 'baleen_downloads_total')).length).toBe(51);
    expect((await samples(metrics, 'baleen_catalog_errors_total')).length).toBe(51);
    const methods = new Set(
      (await samples(metrics, 'baleen_http_requests_total')).map(
        (line) => /method="([^"]*)"/.exec(line)?.[1],
      ),
    );
    expect([...methods]).toEqual(['other']);
  });

  it('show how the upstreams stand, and nothing that is no longer known', async () => {
    const metrics = new Metrics('1');
    const closed = { state: 'closed', failures: 0, next_probe: 0, last_failure: null } as const;
    const open = { ...closed, state: 'half-open' } as const;
    const me = { credential: 'me', source: null, breaker: open };
    const url = { url: 'https://reef.test/hub', host: 'reef.test', breaker: closed };
    const status = (limit: number | null): UpstreamStatus => ({
      name: 'docker.io',
      offline: false,
      revalidation: 'stretched',
      redirects: [],
      urls: [{ ...url, credentials: [{ ...me, limit, remaining: limit, window: limit }] }],
    });
    let limit: number | null = 100;
    metrics.observeUpstreams(() => [status(limit)]);
    const labels = 'upstream="docker.io",host="reef.test/hub"';
    for (const name of ['limit', 'remaining', 'window_seconds']) {
      const full = `baleen_upstream_ratelimit_${name}`;
      expect(await samples(metrics, full)).toEqual([`${full}{${labels},credential="me"} 100`]);
    }
    for (const [name, sample] of [
      ['baleen_upstream_breaker_open', `{${labels}} 0`],
      ['baleen_upstream_credential_breaker_open', `{${labels},credential="me"} 1`],
      ['baleen_upstream_revalidation_stretched', '{upstream="docker.io"} 1'],
    ] as const) {
      expect(await samples(metrics, name)).toEqual([`${name}${sample}`]);
    }
    limit = null;
    expect(await samples(metrics, 'baleen_upstream_ratelimit_limit')).toEqual([]);
  });

  it('count what goes on upstream', async () => {
    const metrics = new Metrics('1');
    metrics.upstreamRequest({
      upstream: 'docker.io',
      host: 'auth.docker.io',
      kind: 'token',
      status: 'timeout',
      seconds: 3,
    });
    metrics.upstreamReceived('docker.io', 10);
    metrics.upstreamReceived('docker.io', 5);
    expect(await samples(metrics, 'baleen_upstream_requests_total')).toEqual([
      'baleen_upstream_requests_total{upstream="docker.io",host="auth.docker.io",kind="token",status="timeout"} 1',
    ]);
    expect(await samples(metrics, 'baleen_upstream_request_duration_seconds_sum')).toEqual([
      'baleen_upstream_request_duration_seconds_sum{upstream="docker.io",kind="token"} 3',
    ]);
    expect(await samples(metrics, 'baleen_upstream_bytes_total')).toEqual([
      'baleen_upstream_bytes_total{upstream="docker.io"} 15',
    ]);
  });

  it('ask the store, the downloads and the log whenever they are collected', async () => {
    const metrics = new Metrics('1');
    const downloads = { inFlight: 1, readers: 7 };
    let lines = 3;
    metrics.observeDownloads(() => downloads);
    metrics.store.observe(() => ({ bytes: 4096, blobs: 2, spooled: 10, limit: undefined }));
    metrics.observeDroppedLogLines(() => lines);
    expect(await samples(metrics, 'baleen_downloads_in_flight')).toEqual([
      'baleen_downloads_in_flight 1',
    ]);
    downloads.inFlight = 2;
    lines = 4;
    expect(await samples(metrics, 'baleen_downloads_in_flight')).toEqual([
      'baleen_downloads_in_flight 2',
    ]);
    expect(await samples(metrics, 'baleen_download_readers')).toEqual([
      'baleen_download_readers 7',
    ]);
    expect(await samples(metrics, 'baleen_store_bytes')).toEqual(['baleen_store_bytes 4096']);
    expect(await samples(metrics, 'baleen_store_blobs')).toEqual(['baleen_store_blobs 2']);
    expect(await samples(metrics, 'baleen_spool_bytes')).toEqual(['baleen_spool_bytes 10']);
    expect(await samples(metrics, 'baleen_log_lines_dropped_total')).toEqual([
      'baleen_log_lines_dropped_total 4',
    ]);
  });

  it('tell whether the shared cache is in use, what runs, and how the process fares', async () => {
    const metrics = new Metrics('1.2.3');
    expect(await samples(metrics, 'baleen_catalog_up')).toEqual(['baleen_catalog_up 1']);
    metrics.catalogUp(false);
    expect(await samples(metrics, 'baleen_catalog_up')).toEqual(['baleen_catalog_up 0']);
    expect((await samples(metrics, 'baleen_build_info'))[0]).toContain('version="1.2.3"');
    expect(await samples(metrics, 'process_resident_memory_bytes')).toHaveLength(1);
    expect(metrics.contentType).toContain('text/plain');
  });

  it('tell how the last reload of the configuration went', async () => {
    const metrics = new Metrics('1');
    metrics.service.configReloaded(false);
    expect(await samples(metrics, 'baleen_config_last_reload_successful')).toEqual([
      'baleen_config_last_reload_successful 0',
    ]);
    metrics.service.configReloaded(true);
    expect(await samples(metrics, 'baleen_config_last_reload_successful')).toEqual([
      'baleen_config_last_reload_successful 1',
    ]);
    expect(await samples(metrics, 'baleen_config_reloads_total')).toEqual([
      'baleen_config_reloads_total{result="succeeded"} 1',
      'baleen_config_reloads_total{result="refused"} 1',
    ]);
  });
});
