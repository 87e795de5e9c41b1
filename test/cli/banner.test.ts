import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { banner } from '../../src/cli/banner.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';

const facts = { version: '1.2.3', hostname: 'cache-1' };

function load(text: string): Config {
  const folder = mkdtempSync(join(tmpdir(), 'baleen-banner-'));
  try {
    writeFileSync(join(folder, 'config.yaml'), text);
    return loadConfig({ file: join(folder, 'config.yaml'), env: {} });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the banner', () => {
  it('says where it listens, what it proxies, where the images are, and what to paste', () => {
    const text = banner(load('storage: { directory: /srv/images }'), facts);
    expect(text).toContain('Baleen 1.2.3');
    expect(text).toContain('0.0.0.0:5000');
    expect(text).toContain('http://127.0.0.1:5001/metrics');
    expect(text).toContain('/srv/images');
    expect(text).toContain('docker.io, ghcr.io, quay.io');
    expect(text).toContain('{ "registry-mirrors": ["http://cache-1:5000"] }');
    expect(text).toContain('[host."http://cache-1:5000"]');
    expect(text).toContain('location = "cache-1:5000/docker.io", insecure = true');
  });

  it('writes a particular address as it is', () => {
    const text = banner(load('server: { listen: "[::1]:80" }\noperations: { listen: off }'), facts);
    expect(text).toContain('["http://[::1]:80"]');
    expect(text).toContain('operations  off');
  });

  it('says which upstreams are offline', () => {
    const one = load('upstreams: { docker.io: , ghcr.io: { offline: true } }');
    expect(banner(one, facts)).toContain('proxies     docker.io, ghcr.io (offline)\n');
    const all = load('upstreams: { docker.io: , ghcr.io: }\noffline: true');
    expect(banner(all, facts)).toContain('proxies     docker.io, ghcr.io (offline)\n');
  });

  it('offers Docker nothing where docker.io is not the default', () => {
    const text = banner(load('upstreams: { ghcr.io: }'), facts);
    expect(text).not.toContain('registry-mirrors');
    expect(text).toContain('by default  none');
    expect(text).toContain('location = "cache-1:5000/ghcr.io"');
  });

  it('offers no snippet where nothing is proxied', () => {
    const text = banner(load('upstreams: {}'), facts);
    expect(text).toContain('proxies     nothing');
    expect(text).not.toContain('cache-1:5000');
  });

  it('shows how to push, from here and from elsewhere, where something is hosted', () => {
    const text = banner(load('hosted: { repositories: ["local/**", "*"] }'), facts);
    expect(text).toContain('hosts       local/**, *');
    expect(text).toContain('docker tag myapp localhost:5000/local/myapp\n');
    expect(text).toContain('docker push localhost:5000/local/myapp\n');
    expect(text).toContain('{ "insecure-registries": ["cache-1:5000"] }');
    expect(banner(load(''), facts)).not.toMatch(/^ +hosts |docker push/m);
  });

  it('has accounts log in before they push, and warns where there are none', () => {
    const open = banner(load('hosted: { repositories: ["*"] }'), facts);
    expect(open).toMatch(/hosts .*WARNING/);
    expect(open).not.toContain('docker login');
    const auth = `auth: { htpasswd: ${import.meta.filename} }`;
    const closed = banner(load(`hosted: { repositories: ["*"] }\n${auth}`), facts);
    expect(closed).toContain('  docker login localhost:5000\n  docker tag');
    expect(closed).not.toContain('WARNING');
  });

  it('asks for no setting of Docker where there is TLS, or nobody else can come', () => {
    const hosted = 'hosted: { repositories: ["*"] }\nserver: ';
    const file = import.meta.filename;
    const secure = banner(load(`${hosted}{ tls: { cert: ${file}, key: ${file} } }`), facts);
    expect(secure).toContain('docker push cache-1:5000/myapp\n');
    const local = banner(load(`${hosted}{ listen: "127.0.0.1:5000" }`), facts);
    expect(local).toContain('docker push localhost:5000/myapp\n');
    for (const text of [secure, local]) expect(text).not.toContain('insecure-registries');
  });

  it('never shows a secret', () => {
    const text = banner(
      load(
        'catalog: { redis: { url: "redis://:hunter2@h" } }\nupstreams: { docker.io: { credentials: { username: u, password: hunter2 } } }',
      ),
      facts,
    );
    expect(text).not.toContain('hunter2');
  });
});
