import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../src/config/load.ts';
import { exampleName } from '../../src/service/hosted-names.ts';

const load = (env: Record<string, string>) => loadConfig({ env });

describe('the example of a name that is hosted', () => {
  it.each([
    ['', undefined],
    ['*', 'myapp'],
    ['local/**', 'local/myapp'],
    ['team-*/**', 'team-myapp/myapp'],
    ['one/app', 'one/app'],
    ['te?m,{a,b}/c,x/*', 'x/myapp'],
  ])('is, for %j, %j', (BALEEN_HOSTED_REPOSITORIES, name) => {
    expect(exampleName(load({ BALEEN_HOSTED_REPOSITORIES }))).toBe(name);
  });
});
