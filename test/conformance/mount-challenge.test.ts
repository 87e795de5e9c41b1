import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { suiteResources } from '../support/resources.ts';
import { keeper, startRegistry } from './describe-registry.ts';

jest.setTimeout(60_000);

const scopes = 'repository:conformance/target:pull,push repository:conformance/source:pull';

describe('The challenge to a mount', () => {
  const resources = suiteResources();
  let url: string;
  const mount = async (authorization?: string): Promise<Response> => {
    const digest = digestOf(Buffer.from('a layer'));
    const path = `/v2/conformance/target/blobs/uploads/?mount=${digest}&from=conformance/source`;
    return fetch(`${url}${path}`, {
      method: 'POST',
      headers: authorization === undefined ? {} : { authorization },
    });
  };
  const token = async (scope: string): Promise<string> => {
    const basic = Buffer.from(`${keeper.username}:${keeper.password}`).toString('base64');
    const answer = await fetch(`${url}/auth/token?scope=${encodeURIComponent(scope)}`, {
      headers: { authorization: `Basic ${basic}` },
    });
    return `Bearer ${((await answer.json()) as { token: string }).token}`;
  };

  beforeAll(async () => {
    ({ url } = resources.use(await startRegistry(keeper)));
  });

  it('names both repositories to who has no token', async () => {
    const { status, headers } = await mount();
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toContain(`scope="${scopes}"`);
  });

  it('names both to who has a token for the target alone', async () => {
    const { status, headers } = await mount(await token('repository:conformance/target:pull,push'));
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toContain(`scope="${scopes}"`);
  });

  it('is none where no source is named, and nothing comes from beyond the token', async () => {
    const bytes = Buffer.from('what only the source has');
    const digest = digestOf(bytes);
    const own = await token(scopes.replace('source:pull', 'source:pull,push'));
    const wide = { authorization: own };
    const path = (name: string): string => `${url}/v2/conformance/${name}/blobs/uploads/`;
    const pushed = await fetch(`${path('source')}?digest=${digest}`, {
      method: 'POST',
      headers: wide,
      body: bytes,
    });
    expect(pushed.status).toBe(201);
    const narrow = { authorization: await token('repository:conformance/target:pull,push') };
    for (const [headers, status] of [
      [narrow, 202],
      [wide, 201],
    ] as const) {
      const answer = await fetch(`${path('target')}?mount=${digest}`, { method: 'POST', headers });
      expect(answer.status).toBe(status);
    }
  });

  it('is none to who has a token for both', async () => {
    const { status } = await mount(await token(scopes));
    expect(status).toBe(202);
  });
});
