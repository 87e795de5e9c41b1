import { describe, expect, it, jest } from '@jest/globals';
import type { UpstreamStatus } from '../../src/upstream/upstream-status.ts';
import type { Baleen } from '../support/baleen.ts';
import { get, type Got } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { baleenBefore } from '../support/scripted-baleen.ts';
import { ScriptedUpstream, type ScriptedOptions } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

/** Headers of a registry that counts. */
function quota(remaining: number, window: number): Record<string, string> {
  return {
    'ratelimit-limit': `100;w=${window}`,
    'ratelimit-remaining': `${remaining};w=${window}`,
    'docker-ratelimit-source': '192.0.2.1',
  };
}

describe('an upstream that limits the rate', () => {
  const resources = testResources();
  const image = seededImage([1000], 31);
  let upstream: ScriptedUpstream;
  let baleen: Baleen;

  const start = async (
    options: ScriptedOptions = {},
    overrides: Readonly<Record<string, unknown>> = {},
  ): Promise<void> => {
    upstream = resources.use(await ScriptedUpstream.start(options));
    for (const tag of ['edge', 'v1', 'v2']) upstream.add('blue/whale', tag, image);
    baleen = resources.use(await baleenBefore(upstream, overrides));
  };
  const pull = (tag: string): Promise<Got> => get(`${baleen.url}/v2/blue/whale/manifests/${tag}`);
  const status = async (): Promise<UpstreamStatus> => {
    const answer = await fetch(`${baleen.operationsUrl}/api/upstreams`);
    const { upstreams } = (await answer.json()) as { upstreams: UpstreamStatus[] };
    return upstreams[0] as UpstreamStatus;
  };
  const promise = (remaining: number, window: number, times = Infinity): void => {
    for (const on of ['manifest-head', 'manifest-get'] as const) {
      upstream.fault({ on, headers: quota(remaining, window), times });
    }
  };

  it('has its last requests kept for what is not cached, until the window has passed', async () => {
    await start({}, { tag_ttl: { edge: '0s', default: '1h' } });
    promise(1, 3600, 1);
    expect((await pull('edge')).status).toBe(200);
    expect((await status()).revalidation).toBe('stretched');
    upstream.faults.clear();
    promise(0, 4);
    expect((await pull('v1')).status).toBe(200);
    expect((await status()).revalidation).toBe('suspended');
    upstream.forget();
    for (let times = 0; times < 5; times++) {
      const cached = await pull('edge');
      expect([cached.status, cached.headers['cache-status']]).toEqual([
        200,
        expect.stringMatching(/^baleen; hit; ttl=\d$/) as unknown,
      ]);
    }
    expect(upstream.total).toBe(0);
    expect((await pull('v2')).status).toBe(200);
    expect(upstream.count('manifest-get')).toBe(1);
    expect(await baleen.metric('baleen_upstream_revalidation_stretched')).toBe(2);
    upstream.faults.clear();
    await waitFor('tags to be checked again', async () => {
      await pull('edge');
      return upstream.count('manifest-head') > 0;
    });
    expect((await status()).revalidation).toBe('normal');
    expect(baleen.process.stdout).toMatch(/used up.*plenty again/s);
  });

  it('is asked with the next credential at a 429, and shows none of their secrets', async () => {
    const logins = ['whale:plankton-9f27', 'seal:herring-31aa'];
    await start({ basic: logins }, { tag_ttl: '0s' });
    const users = (): string[] =>
      upstream.requests('manifest-get').map(({ headers }) => {
        const encoded = headers.authorization?.replace('Basic ', '') ?? '';
        return Buffer.from(encoded, 'base64').toString().split(':')[0] ?? '';
      });
    upstream.fault({
      on: 'manifest-get',
      when: ({ headers }) => headers.authorization?.includes(btoa(logins[0] ?? '')) === true,
      instead: { status: 429, headers: { 'retry-after': '600', ...quota(0, 3600) } },
    });
    upstream.fault({ on: 'manifest-get', headers: quota(70, 3600) });
    expect((await pull('v1')).status).toBe(200);
    expect((await pull('v2')).status).toBe(200);
    expect(users()).toEqual(['whale', 'seal', 'seal']);
    const { name, offline, revalidation, urls } = await status();
    expect([name, offline, revalidation]).toEqual(['docker.io', false, 'normal']);
    expect(urls).toMatchObject([
      {
        url: upstream.url,
        breaker: { state: 'closed', failures: 0, next_probe: 0, last_failure: null },
        credentials: [
          {
            credential: 'whale',
            remaining: 0,
            breaker: { state: 'open', last_failure: 'TOOMANYREQUESTS' },
          },
          {
            credential: 'seal',
            limit: 100,
            remaining: 70,
            window: 3600,
            source: '192.0.2.1',
            breaker: { state: 'closed' },
          },
        ],
      },
    ]);
    const left = 'baleen_upstream_ratelimit_remaining';
    expect(await baleen.metric(left, 'credential="seal"')).toBe(70);
    expect(await baleen.metric('baleen_upstream_credential_breaker_open', 'whale')).toBe(1);
    const metrics = await (await fetch(`${baleen.operationsUrl}/metrics`)).text();
    const shown = JSON.stringify(urls) + metrics + baleen.process.stdout + baleen.process.stderr;
    for (const secret of ['plankton-9f27', 'herring-31aa', ...logins.map((login) => btoa(login))]) {
      expect(shown).not.toContain(secret);
    }
  });
});
