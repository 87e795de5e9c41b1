import { describe, expect, it } from '@jest/globals';
import { get } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { testResources } from '../support/resources.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { FetchLedger } from './fetch-ledger.ts';

describe('the bound on fetches of a blob', () => {
  const resources = testResources();
  const image = seededImage([10], 1);
  const digest = image.blobs[0]?.digest ?? '';

  const fetched = async (times: number): Promise<[FetchLedger, () => Promise<void>]> => {
    const upstream = resources.use(await ScriptedUpstream.start());
    upstream.add('blue/whale', 'v1', image);
    const once = async (): Promise<void> => {
      await get(`${upstream.url}/v2/blue/whale/blobs/${digest}`);
    };
    const ledger = new FetchLedger([upstream]);
    for (let time = 0; time < times; time += 1) await once();
    ledger.take();
    return [ledger, once];
  };

  it('is one where nothing happens', async () => {
    const [ledger, once] = await fetched(1);
    expect(ledger.unexplained(() => 0)).toEqual([]);
    await once();
    ledger.take();
    expect(ledger.unexplained(() => 0)).toHaveLength(1);
  });

  it('grows by one with each fault, removal and interruption', async () => {
    const [ledger] = await fetched(4);
    expect(ledger.unexplained(() => 1)).toHaveLength(1);
    ledger.befell(digest);
    expect(ledger.unexplained(() => 1)).toHaveLength(1);
    ledger.interrupted();
    expect(ledger.unexplained(() => 1)).toEqual([]);
  });

  it('does not count what comes during a pause', async () => {
    const [ledger, once] = await fetched(1);
    const resume = ledger.pause();
    await once();
    resume();
    expect([ledger.total, ledger.uncounted]).toEqual([1, 1]);
  });
});
