import { describe, expect, it } from '@jest/globals';
import type { ConfigPath } from '../../src/config/config-error.ts';
import { applyOverride, readEnvironment, variableName } from '../../src/config/environment.ts';
import { forEachLeaf } from '../../src/config/schema-tree.ts';
import { wellKnownUpstreams } from '../../src/config/well-known.ts';

const upstreams = Object.fromEntries(wellKnownUpstreams.map((name) => [name, {}]));

describe('environment variables', () => {
  it.each([
    [['storage', 'max_size'], 'BALEEN_STORAGE_MAX_SIZE'],
    [['upstreams', 'docker.io', 'tag_ttl'], 'BALEEN_UPSTREAMS_DOCKER_IO_TAG_TTL'],
    [['upstreams', 'localhost:5000', 'url'], 'BALEEN_UPSTREAMS_LOCALHOST_5000_URL'],
    [
      ['upstreams', 'registry.k8s.io', 'credentials', 'password'],
      'BALEEN_UPSTREAMS_REGISTRY_K8S_IO_CREDENTIALS_PASSWORD',
    ],
  ])('of %j is %s', (path, name) => {
    expect(variableName(path)).toBe(name);
  });

  it('exist for every setting of every upstream, one each', () => {
    const settings: ConfigPath[] = [];
    forEachLeaf({ upstreams }, (path) => settings.push(path));
    const env = Object.fromEntries(settings.map((path) => [variableName(path), 'x']));
    expect(Object.keys(env)).toHaveLength(settings.length);
    const { overrides, faults } = readEnvironment(env, { upstreams });
    expect(faults).toEqual([]);
    expect(overrides.map(({ path }) => path)).toEqual(settings);
  });

  it('exist for each of several credentials, by its place in the list', () => {
    const list = [{ username: 'a', password: 'x' }, { helper: 'y' }];
    const raw = { upstreams: { 'a.b': { credentials: list } } };
    const env = { BALEEN_UPSTREAMS_A_B_CREDENTIALS_0_PASSWORD: 'z' };
    const { overrides, faults } = readEnvironment(env, raw);
    expect(faults).toEqual([]);
    for (const override of overrides) applyOverride(raw.upstreams['a.b'] && raw, override);
    expect(list).toEqual([{ username: 'a', password: 'z' }, { helper: 'y' }]);
    const single = { BALEEN_UPSTREAMS_A_B_CREDENTIALS_PASSWORD: 'z' };
    expect(readEnvironment(single, raw).faults[0]?.message).toContain('CREDENTIALS_0_PASSWORD');
  });

  it('leave a scalar alone where a mapping belongs, for validation to report', () => {
    const root: Record<string, unknown> = { log: 5 };
    applyOverride(root, { path: ['log', 'level'], value: 'x', source: 'X' });
    applyOverride(root, { path: ['catalog', 'redis', 'url'], value: 'y', source: 'Y' });
    expect(root).toEqual({ log: 5, catalog: { redis: { url: 'y' } } });
  });
});
