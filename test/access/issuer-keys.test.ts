import { beforeEach, describe, expect, it } from '@jest/globals';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { IssuerKeys } from '../../src/access/issuer-keys.ts';
import { waitFor } from '../support/wait-for.ts';

const jwk = (kid: string): object => ({
  ...createPublicKey(generateKeyPairSync('ed25519').privateKey).export({ format: 'jwk' }),
  kid,
  alg: 'EdDSA',
});

describe('the keys of an issuer', () => {
  const clock = { now: 0 };
  let served: object[];
  let fetches: number;
  let isDown: boolean;
  let failures: unknown[];
  let keys: IssuerKeys;

  const find = async (kid: string): Promise<string> => {
    try {
      await keys.find({ alg: 'EdDSA', kid }, { payload: '', signature: '' });
      return 'found';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  beforeEach(() => {
    clock.now = 0;
    served = [jwk('a')];
    fetches = 0;
    isDown = false;
    failures = [];
    keys = new IssuerKeys(
      () => {
        fetches++;
        return isDown
          ? Promise.reject(new Error('down'))
          : Promise.resolve(JSON.stringify({ keys: served }));
      },
      (error) => void failures.push(error),
      { times: { fresh: 1_000, pause: 100, rest: 10 }, now: () => clock.now },
    );
  });

  it('are fetched once for all who ask at the same time, and kept', async () => {
    const found = await Promise.all(Array.from({ length: 20 }, () => find('a')));
    expect(new Set(found)).toEqual(new Set(['found']));
    expect(await find('a')).toBe('found');
    expect(fetches).toBe(1);
  });

  it('are fetched again for an unknown one, but not for each', async () => {
    await find('a');
    served = [jwk('a'), jwk('b')];
    for (let tries = 0; tries < 50; tries++)
      expect(await find('b')).toBe('ERR_JWKS_NO_MATCHING_KEY');
    expect(fetches).toBe(1);
    clock.now = 100;
    expect(await find('b')).toBe('found');
    expect(await find('c')).toBe('ERR_JWKS_NO_MATCHING_KEY');
    expect(fetches).toBe(2);
  });

  it('are fetched again after a while, behind those who ask; one that was withdrawn is gone then', async () => {
    await find('a');
    served = [jwk('b')];
    clock.now = 1_001;
    expect(await find('a')).toBe('found');
    await waitFor('the new keys', async () => (await find('b')) === 'found');
    expect(await find('a')).toBe('ERR_JWKS_NO_MATCHING_KEY');
  });

  it('stay as they are while there are no newer ones to be had', async () => {
    await find('a');
    isDown = true;
    clock.now = 50_000;
    expect(await find('a')).toBe('found');
    await waitFor('the failure', () => failures.length === 1);
    expect(await find('a')).toBe('found');
  });

  it('are asked for again soon where there were none', async () => {
    isDown = true;
    expect(await find('a')).toBe('UNAVAILABLE');
    isDown = false;
    expect(await find('a')).toBe('UNAVAILABLE');
    clock.now = 10;
    expect(await find('a')).toBe('found');
    expect(failures).toHaveLength(1);
  });

  it.each([
    ['that encrypt', { use: 'enc' }],
    ['that are secrets', { kty: 'oct', k: 'c2VjcmV0' }],
  ])('are not those %s', async (_what, change) => {
    served = [{ ...jwk('a'), ...change }, jwk('b')];
    expect(await find('a')).toBe('ERR_JWKS_NO_MATCHING_KEY');
    expect(await find('b')).toBe('found');
  });
});
