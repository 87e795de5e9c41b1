import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { createRemotes } from '../../src/service/create-remotes.ts';
import { LiveUpstreams } from '../../src/service/live-upstreams.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { RepositoryName } from '../../src/oci/repository-name.ts';
import type { Tag } from '../../src/oci/reference.ts';
import type { Remote } from '../../src/registry/remote.ts';
import { silentObserver } from '../../src/upstream/observer.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { testCertificate, rotatedCertificate } from '../upstream/tls-fixture.ts';
import { testResources } from '../support/resources.ts';
import { tempDir } from '../support/temp-dir.ts';
import { proxied } from '../support/scaffold.ts';
import { waitFor } from '../support/wait-for.ts';

const resources = testResources();
let folder: string;
let used: Set<Upstream>;
let closed: Upstream[];

beforeEach(() => {
  folder = resources.use(tempDir()).path;
  used = new Set();
  closed = [];
});

/** A configuration with these upstreams, by the text of their YAML. */
function configOf(upstreams: Readonly<Record<string, string>>, more = ''): Config {
  const file = join(folder, 'baleen.yaml');
  const entries = Object.entries(upstreams).map(([name, text]) => `  ${name}: ${text}\n`);
  writeFileSync(file, `${more}\nupstreams:\n${entries.join('')}`);
  return loadConfig({ file, env: {} });
}

function liveUpstreams(config: Config): LiveUpstreams {
  const live = new LiveUpstreams(config, {
    create: (next, existing) =>
      createRemotes(next, silentObserver, 'baleen/test', existing).map((entry) => {
        const { upstream } = entry.remote;
        const close = upstream.close.bind(upstream);
        upstream.close = () => {
          if (!closed.includes(upstream)) closed.push(upstream);
          return close();
        };
        return entry;
      }),
    isInUse: (upstream) => used.has(upstream),
    settle: 1,
    longest: 60_000,
  });
  resources.defer(() => live.close());
  return live;
}

const remote = ({ table }: LiveUpstreams, name: string): Remote => table.namespace(name);

describe('upstreams that are configured anew', () => {
  const before = { 'a.example': '{}', 'b.example': '{ tag_ttl: 1m }' };

  it('stay what they were where nothing about them changed', () => {
    const live = liveUpstreams(configOf(before));
    const a = remote(live, 'a.example');
    live.prepare(configOf({ ...before, 'c.example': '{}' }))();
    expect(remote(live, 'a.example')).toBe(a);
    expect(remote(live, 'c.example').name).toBe('c.example');
    expect(closed).toEqual([]);
  });

  it.each([
    ['tag_ttl', '{ tag_ttl: 2m }'],
    ['allow', '{ tag_ttl: 1m, allow: ["x/*"] }'],
    ['aliases', '{ tag_ttl: 1m, aliases: [other.example] }'],
    ['how long a check may take', '{ tag_ttl: 1m, timeouts: { revalidate: 1s } }'],
  ])('keep their connections and follow new rules: %s', (_what, text) => {
    const live = liveUpstreams(configOf(before));
    const b = remote(live, 'b.example');
    live.prepare(configOf({ ...before, 'b.example': text }))();
    expect(remote(live, 'b.example')).not.toBe(b);
    expect(remote(live, 'b.example').upstream).toBe(b.upstream);
  });

  it('follow the new rules at once', () => {
    const live = liveUpstreams(configOf(before));
    live.prepare(configOf({ ...before, 'b.example': '{ tag_ttl: 2m, deny: ["x/*"] }' }))();
    const b = remote(live, 'b.example');
    expect(b.policy.tagTtl('v1' as Tag)).toBe(120_000);
    expect(b.permits('x/y' as RepositoryName)).toBe(false);
  });

  it.each([
    ['a URL', '{ tag_ttl: 1m, url: "https://elsewhere.example" }'],
    ['credentials', '{ tag_ttl: 1m, credentials: { username: me, password: krill } }'],
    ['offline', '{ tag_ttl: 1m, offline: true }'],
    ['a deadline', '{ tag_ttl: 1m, timeouts: { connect: 1s } }'],
  ])('are replaced where they are reached in another way: %s', async (_what, text) => {
    const live = liveUpstreams(configOf(before));
    const { upstream } = remote(live, 'b.example');
    live.prepare(configOf({ ...before, 'b.example': text }))();
    expect(remote(live, 'b.example').upstream).not.toBe(upstream);
    await waitFor('the old one to be closed', () => closed.includes(upstream));
    expect(closed).toEqual([upstream]);
  });

  it('are replaced where the file of their authority has other content', () => {
    const ca = join(folder, 'ca.pem');
    const config = { 'a.example': `{ ca: ${ca} }` };
    writeFileSync(ca, testCertificate);
    const live = liveUpstreams(configOf(config));
    const { upstream } = remote(live, 'a.example');
    live.prepare(configOf(config))();
    expect(remote(live, 'a.example').upstream).toBe(upstream);
    writeFileSync(ca, rotatedCertificate);
    live.prepare(configOf(config))();
    expect(remote(live, 'a.example').upstream).not.toBe(upstream);
  });

  it('are gone for new requests where they are no longer named, and closed once nobody uses them', async () => {
    const live = liveUpstreams(configOf(before));
    const [a, b] = [remote(live, 'a.example'), remote(live, 'b.example')];
    used.add(b.upstream);
    live.prepare(configOf({ 'c.example': '{}' }))();
    expect(() => remote(live, 'b.example')).toThrow('no upstream of this name');
    await waitFor('the unused one to be closed', () => closed.includes(a.upstream));
    expect(closed).not.toContain(b.upstream);
    used.clear();
    await waitFor('the other one to be closed', () => closed.includes(b.upstream));
  });

  it('change the default', () => {
    const live = liveUpstreams(configOf(before, 'default_upstream: a.example'));
    live.prepare(configOf(before, 'default_upstream: b.example'))();
    expect(live.table.defaultUpstream).toBe('b.example');
    expect(proxied(live.table.resolve({ name: 'x/y' })).remote.name).toBe('b.example');
  });

  it('change nothing where one of them cannot be had', () => {
    const ca = join(folder, 'ca.pem');
    writeFileSync(ca, 'no certificate');
    const live = liveUpstreams(configOf(before));
    const a = remote(live, 'a.example');
    const next = configOf({ 'a.example': '{ tag_ttl: 2m }', 'b.example': `{ ca: ${ca} }` });
    expect(() => live.prepare(next)).toThrow('certificate');
    expect(remote(live, 'a.example')).toBe(a);
  });
});
