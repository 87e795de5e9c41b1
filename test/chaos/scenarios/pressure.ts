import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../support/random.ts';
import { Puller } from '../puller.ts';
import { pullers, pullWhile } from '../run.ts';
import { sample } from '../sampler.ts';
import { World } from '../world.ts';
import { expectThat, type Figures, type Size } from './scenario.ts';

/**
 * A store of a tenth of what is pulled, and nothing else that is wrong: every pull succeeds, no
 * reader is broken off, and the store stays within its limit.
 */
export async function pressure(size: Size, seed: number): Promise<Figures> {
  const minutes = size === 'full' ? 10 : 0.2;
  await using resources = new AsyncDisposableStack();
  const world = resources.use(await World.create({ seed, share: 0.1, note: () => undefined }));
  const { tally, content, baleen, maxSize } = world;
  const ending = new AbortController();
  const sampling = sample(world, ending.signal);
  const pulling = new AbortController();
  const clients = Array.from({ length: pullers }, (_, nth) =>
    pullWhile(new Puller(world, new Random(seed * 100 + nth)), pulling.signal),
  );
  await sleep(minutes * 60_000);
  pulling.abort();
  await Promise.all(clients);
  ending.abort();
  await sampling;

  const evicted = await baleen.metric('baleen_store_evicted_blobs_total');
  const findings = [...world.findings].slice(0, 10);
  expectThat(findings.length === 0, 'something went wrong', findings);
  const broken = tally.of('requests, broken off');
  expectThat(broken === 0, 'readers were broken off', broken);
  const failed = tally.of('pulls') - tally.of('pulls, complete');
  expectThat(failed === 0, 'pulls failed', `${String(failed)}\n${String(tally)}`);
  expectThat(evicted > 0, 'nothing was evicted');
  return {
    minutes,
    'bytes of all images': content.bytes,
    'bytes that the store may take': maxSize,
    'most bytes that it took': tally.of('peak of committed bytes'),
    'most bytes that it said it took': tally.of('peak of committed bytes, as told'),
    'most downloads in flight': tally.of('peak of downloads in flight'),
    'blobs evicted': evicted,
    pulls: tally.of('pulls'),
    requests: tally.of('requests'),
    'bytes received': tally.of('bytes received'),
  };
}
