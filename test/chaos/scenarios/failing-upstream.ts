import type { Baleen } from '../../support/baleen.ts';
import { get } from '../../support/http-get.ts';
import { seededImage } from '../../support/images.ts';
import { baleenBefore } from '../../support/scripted-baleen.ts';
import type { Fault } from '../../support/scripted/fault.ts';
import { ScriptedUpstream } from '../../support/scripted-upstream.ts';
import { expectThat, type Figures, type Size } from './scenario.ts';

const never = new Promise<never>(() => undefined);

/** The ways in which an upstream fails altogether; without a fault, it refuses connections. */
const failures: Readonly<Record<string, Fault | undefined>> = {
  hangs: { before: never },
  'answers 429': { instead: { status: 429, headers: { 'retry-after': '30' } } },
  'answers 500': { instead: { status: 500 } },
  'answers 503': { instead: { status: 503 } },
  refuses: undefined,
};

const kinds = ['manifest-get', 'manifest-head', 'blob-get', 'blob-head', 'ping'] as const;

/**
 * An upstream that fails altogether, with Baleen's own deadlines: what is cached is served, what is
 * not gets an honest answer. How fast, the figures tell.
 */
export async function failingUpstream(size: Size): Promise<Figures> {
  const requests = size === 'full' ? 200 : 10;
  const figures: Record<string, string> = {};
  for (const [name, fault] of Object.entries(failures)) {
    await using resources = new AsyncDisposableStack();
    const upstream = resources.use(await ScriptedUpstream.start());
    upstream.add('blue/whale', 'edge', seededImage([1_000], 1));
    const timeouts = size === 'full' ? {} : { headers: '1s', revalidate: '500ms' };
    const baleen = resources.use(await baleenBefore(upstream, { timeouts, negative_ttl: '10s' }));
    const warm = await get(tagUrl(baleen, 'edge'));
    expectThat(warm.status === 200, 'could not be warmed', warm.status);
    upstream.forget();
    if (fault === undefined) await upstream.stop();
    else for (const on of kinds) upstream.fault({ ...fault, on });

    const cached = await timed(baleen, 'edge', requests, [200]);
    const uncached = await timed(baleen, 'none', requests, [429, 503, 504]);
    figures[name] =
      `cached ${inWords(cached)}; uncached ${inWords(uncached)}; ` +
      `${String(upstream.total)} requests reached it`;
  }
  return figures;
}

const tagUrl = (baleen: Baleen, tag: string): string =>
  `${baleen.url}/v2/blue/whale/manifests/${tag}`;

/** Milliseconds of the first answer, and of the slowest of the others. */
interface Times {
  readonly first: number;
  readonly others: number;
}

async function timed(
  baleen: Baleen,
  tag: string,
  requests: number,
  statuses: readonly number[],
): Promise<Times> {
  const times: number[] = [];
  for (let nth = 0; nth < requests; nth += 1) {
    const began = performance.now();
    const { status, headers } = await get(tagUrl(baleen, tag));
    times.push(performance.now() - began);
    expectThat(statuses.includes(status), `answered ${String(status)} for ${tag}`);
    const saysWhen = status === 200 || headers['retry-after'] !== undefined;
    expectThat(saysWhen, `answered ${String(status)} without Retry-After`);
  }
  const [first = 0, ...others] = times;
  return { first, others: Math.max(...others) };
}

function inWords({ first, others }: Times): string {
  return `${first.toFixed(0)} ms at first, then ≤ ${others.toFixed(0)} ms`;
}
