import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultTimeouts } from '../../src/upstream/registry-client-options.ts';
import type { ExchangeableCredential, TokenWish } from '../../src/upstream/token-request.ts';
import { TokenSource } from '../../src/upstream/token-source.ts';
import { Transport } from '../../src/upstream/transport.ts';
import { LoopbackServer } from '../support/scripted/loopback-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { RecordingObserver } from './recording-observer.ts';

const { signal } = new AbortController();

const password = (secret: string): ExchangeableCredential => ({
  kind: 'basic',
  username: 'whale',
  password: secret,
});

describe('a token source', () => {
  let server: LoopbackServer;
  let observer: RecordingObserver;
  let transport: Transport;
  let tokens: TokenSource;
  let now: number;
  /** Awaited before each answer. */
  let gate: Promise<void> | undefined;
  let status: number;
  const wish = (scope = 'repository:reef:pull'): TokenWish => ({
    realm: new URL(`${server.origin}/token`),
    service: 'reef',
    scope,
    credential: undefined,
  });

  beforeEach(async () => {
    [gate, status, now] = [undefined, 200, 1_000_000];
    server = new LoopbackServer(async (_seen, answer) => {
      const token = `T${server.requests.length}`;
      await gate;
      answer.writeHead(status).end(JSON.stringify({ token, expires_in: 100 }));
    });
    await server.start();
    observer = new RecordingObserver();
    const shared = { upstream: 'reef', observer };
    transport = new Transport({
      ...shared,
      timeouts: defaultTimeouts,
      connections: 4,
      ca: undefined,
      proxy: () => undefined,
      userAgent: 'baleen',
      minRate: 1024,
      maxBlobSize: 1e9,
    });
    tokens = new TokenSource({ ...shared, transport, timeout: 500, now: () => now });
  });
  afterEach(async () => {
    tokens.close();
    await transport.close();
    await server.stop();
  });

  it('asks once for any number of callers, and again for another scope', async () => {
    const callers = Array.from({ length: 50 }, () => tokens.get(wish(), signal));
    expect(new Set((await Promise.all(callers)).map(({ token }) => token))).toEqual(
      new Set(['T1']),
    );
    expect(await tokens.get(wish(), signal)).toEqual({ token: 'T1', fresh: false });
    expect(await tokens.get(wish('repository:other:pull'), signal)).toMatchObject({ token: 'T2' });
    expect(server.requests).toHaveLength(2);
  });

  it('keeps the tokens of one credential from another', async () => {
    const grants = [
      await tokens.get({ ...wish(), credential: password('a') }, signal),
      await tokens.get({ ...wish(), credential: password('b') }, signal),
    ];
    expect(grants.map(({ token }) => token)).toEqual(['T1', 'T2']);
  });

  it('lets a caller leave while the others wait', async () => {
    const answer = Promise.withResolvers<void>();
    gate = answer.promise;
    const controller = new AbortController();
    const leaver = tokens.get(wish(), controller.signal);
    const stayer = tokens.get(wish(), signal);
    controller.abort(new Error('gone'));
    await expect(leaver).rejects.toThrow('gone');
    answer.resolve();
    expect(await stayer).toMatchObject({ token: 'T1' });
    expect(server.requests).toHaveLength(1);
  });

  it('renews a token behind the requests that still use it', async () => {
    await tokens.get(wish(), signal);
    now += 80_000;
    expect(await tokens.get(wish(), signal)).toMatchObject({ token: 'T1' });
    await waitFor('the new token', async () => (await tokens.get(wish(), signal)).token === 'T2');
    expect(server.requests).toHaveLength(2);
  });

  it('lives on a good token while the endpoint is down, and only so long', async () => {
    await tokens.get(wish(), signal);
    status = 503;
    now += 80_000;
    expect(await tokens.get(wish(), signal)).toMatchObject({ token: 'T1' });
    await waitFor('the warning', () => observer.warnings.length === 1);
    expect(observer.warnings[0]).toContain('503');
    expect(await tokens.get(wish(), signal)).toMatchObject({ token: 'T1' });
    now += 20_000;
    await expect(tokens.get(wish(), signal)).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      upstreamStatus: 503,
    });
  });

  it('forgets a failure: the next caller asks again', async () => {
    status = 500;
    await expect(tokens.get(wish(), signal)).rejects.toMatchObject({ upstreamStatus: 500 });
    status = 200;
    expect(await tokens.get(wish(), signal)).toEqual({ token: 'T2', fresh: true });
  });

  it('forgets a refused token, but not the one that has replaced it', async () => {
    await tokens.get(wish(), signal);
    tokens.forget(wish(), 'T1');
    expect(await tokens.get(wish(), signal)).toEqual({ token: 'T2', fresh: true });
    tokens.forget(wish(), 'T1');
    expect(await tokens.get(wish(), signal)).toEqual({ token: 'T2', fresh: false });
  });

  it('gives up at its deadline', async () => {
    const answer = Promise.withResolvers<void>();
    gate = answer.promise;
    await expect(tokens.get(wish(), signal)).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
    expect(observer.requests).toMatchObject([{ kind: 'token', status: 'timeout' }]);
    answer.resolve();
  });

  it('ends what is under way when it is closed', async () => {
    const answer = Promise.withResolvers<void>();
    gate = answer.promise;
    const asked = tokens.get(wish(), signal);
    tokens.close();
    await expect(asked).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    answer.resolve();
  });
});
