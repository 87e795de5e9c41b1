import { get } from 'node:http';
import { startGet } from '../../support/http-get.ts';
import { layerOf, seededImage } from '../../support/images.ts';
import { baleenBefore } from '../../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../../support/scripted-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';
import { expectThat, MiB, type Figures, type Size } from './scenario.ts';

const clients = 100;

/** Bytes that a broken connection may take with it: those the kernel had not handed over. */
const chunk = 4 * MiB;

/**
 * A hundred clients of one cold blob; the first leaves at 10 %, the upstream breaks at 60 %. The
 * others get it right, and no part of it is fetched twice.
 */
export async function fanOut(size: Size, seed: number): Promise<Figures> {
  await using resources = new AsyncDisposableStack();
  const upstream = resources.use(await ScriptedUpstream.start());
  upstream.add('blue/whale', 'v1', seededImage([1_000], 1));
  const blob = layerOf(size === 'full' ? 1_000_000_000 : 24 * MiB, seed);
  const length = blob.bytes.length;
  upstream.repositories.addBlob('blue/whale', blob);
  const timeouts = { idle: '2m', headers: '1m', resume: '2m' };
  const baleen = resources.use(await baleenBefore(upstream, { timeouts }));
  const url = `${baleen.url}/v2/blue/whale/blobs/${blob.digest}`;

  const { promise: until, resolve: goOn } = Promise.withResolvers<void>();
  upstream.fault({
    on: 'blob-get',
    times: 1,
    holdAt: { bytes: Math.floor(length * 0.1), until },
    truncateAt: Math.floor(length * 0.6),
  });
  const began = performance.now();
  const first = startGet(url);
  await waitFor('the first client to get something', () => first.received() > 0);
  const others = Array.from({ length: clients - 1 }, () => getsAll(url, blob.bytes));
  await waitFor(
    'all clients to follow',
    async () => {
      return (await baleen.metric('baleen_download_readers')) === clients;
    },
    60_000,
  );
  first.abort();
  goOn();
  const outcomes = await Promise.all(others);
  const seconds = (performance.now() - began) / 1_000;

  const right = outcomes.filter((isRight) => isRight);
  expectThat(right.length === clients - 1, 'some clients got it wrong or not at all', right.length);
  const fetches = upstream.requests('blob-get', blob.digest);
  const sent = fetches.reduce((sum, each) => sum + each.sent, 0);
  const ranges = fetches.map(({ headers }) => headers.range ?? 'all');
  expectThat(fetches.length === 2, 'it took another number of transfers than two', ranges);
  expectThat(sent - length <= chunk, 'some of it was fetched twice', { sent, length, ranges });
  const peak = await baleen.metric('process_resident_memory_bytes');
  return {
    'bytes of the blob': length,
    'clients that got it right': right.length,
    'transfers from the upstream': fetches.length,
    'bytes fetched twice': sent - length,
    'resident bytes of Baleen at the end': peak,
    seconds: Number(seconds.toFixed(1)),
  };
}

/**
 * Whether a GET brings exactly these bytes, and comes to its end. They are compared as they come:
 * to hash them a hundred times would take longer than to send them.
 */
function getsAll(url: string, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = get(url, { agent: false }, (answer) => {
      let received = 0;
      let isRight = answer.statusCode === 200;
      answer.on('data', (chunk: Buffer) => {
        isRight &&= bytes.compare(chunk, 0, chunk.length, received, received + chunk.length) === 0;
        received += chunk.length;
      });
      answer.on('error', () => undefined);
      answer.once('close', () => resolve(isRight && answer.complete && received === bytes.length));
    });
    outgoing.once('error', () => resolve(false));
  });
}
