import { Gauge, type Registry } from 'prom-client';
import type { UpstreamStatus, UrlStatus } from '../upstream/upstream-status.ts';

type Read = () => readonly UpstreamStatus[];

/**
 * Shows how the upstreams stand whenever metrics are collected: what is no longer known, or no
 * longer configured, is no longer shown.
 */
export function registerUpstreamGauges(register: Registry, read: Read): void {
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    collect: (set: (labels: Record<Label, string>, value: number | null) => void) => void,
  ): void => {
    register.registerMetric(
      new Gauge({
        name: `baleen_upstream_${name}`,
        help,
        labelNames,
        registers: [],
        collect() {
          this.reset();
          collect((labels, value) => {
            if (value !== null) this.set(labels, value);
          });
        },
      }),
    );
  };
  const ofUrl = ['upstream', 'host'] as const;
  const ofCredential = [...ofUrl, 'credential'] as const;
  for (const [name, key, help] of quotas) {
    gauge(`ratelimit_${name}`, help, ofCredential, (set) => {
      for (const { upstream, host, credentials } of urlsOf(read())) {
        for (const { credential, [key]: value } of credentials) {
          set({ upstream, host, credential }, value);
        }
      }
    });
  }
  gauge(
    'breaker_open',
    '1 while a URL of the upstream is left alone after failures, 0 while it is asked',
    ofUrl,
    (set) => {
      for (const { upstream, host, breaker } of urlsOf(read())) {
        set({ upstream, host }, isOpen(breaker));
      }
    },
  );
  gauge(
    'credential_breaker_open',
    '1 while a credential is left alone after a 429, 0 while it is asked with',
    ofCredential,
    (set) => {
      for (const { upstream, host, credentials } of urlsOf(read())) {
        for (const { credential, breaker } of credentials) {
          set({ upstream, host, credential }, isOpen(breaker));
        }
      }
    },
  );
  gauge(
    'revalidation_stretched',
    '1 while checks of tags are put off to spare the quota, 2 while nothing is left for any, else 0',
    ['upstream'],
    (set) => {
      for (const { name, offline, revalidation } of read()) {
        if (!offline) set({ upstream: name }, levels[revalidation]);
      }
    },
  );
}

const quotas = [
  ['limit', 'limit', 'Requests that the upstream allows in a window, as it last said'],
  ['remaining', 'remaining', 'Requests left in the window, as the upstream last said'],
  ['window_seconds', 'window', 'Length of the window, as the upstream last said'],
] as const;

const levels = { normal: 0, stretched: 1, suspended: 2 } as const;

function urlsOf(
  upstreams: readonly UpstreamStatus[],
): (Pick<UrlStatus, 'breaker' | 'credentials'> & { upstream: string; host: string })[] {
  return upstreams.flatMap(({ name, urls }) =>
    urls.map(({ url, breaker, credentials }) => ({
      upstream: name,
      // Of two URLs at one host, each is shown with its path.
      host: url.replace(/^https?:\/\//i, ''),
      breaker,
      credentials,
    })),
  );
}

function isOpen({ state }: UrlStatus['breaker']): number {
  return state === 'closed' ? 0 : 1;
}
