import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { printConfig } from '../../src/config/redact.ts';
import { formatByteSize } from '../../src/lib/byte-size.ts';
import { formatDuration } from '../../src/lib/duration.ts';

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-print-'));
  file = join(folder, 'config.yaml');
});

afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string): Config {
  writeFileSync(file, text);
  return loadConfig({ file, env: {} });
}

const duration = fc.integer({ min: 1, max: 86_400_000 }).map(formatDuration);
const size = fc.integer({ min: 2 ** 20, max: 2 ** 45 }).map(formatByteSize);
const glob = fc.constantFrom('*', 'v*', '1', 'sha-[0-9]*', 'team/**', '{a,b}', '#x', 'default');

const upstream = fc.record(
  {
    mirrors: fc.array(fc.constantFrom('https://a.example', 'http://b.example:80/x')),
    realms: fc.array(fc.constantFrom('https://auth.example', 'http://auth.example:81')),
    tag_ttl: fc.oneof(duration, fc.dictionary(glob, duration)),
    negative_ttl: duration,
    allow: fc.array(glob),
    keep_deleted: fc.boolean(),
    offline: fc.boolean(),
    connections: fc.integer({ min: 1, max: 4096 }),
    timeouts: fc.record({ connect: duration, idle: duration }, { requiredKeys: [] }),
    proxy: fc.constant('http://proxy.example:3128'),
  },
  { requiredKeys: [] },
);

const rule = fc.record(
  {
    repositories: fc.array(glob, { minLength: 1 }),
    tags: fc.array(glob, { minLength: 1 }),
    immutable: fc.constant(true),
    keep_last: fc.integer({ min: 1, max: 1_000_000 }),
    keep_for: fc.constantFrom('1s', '30d', '1h30m'),
  },
  { requiredKeys: ['immutable'] },
);

const endpoint = fc.record(
  {
    url: fc.constantFrom('http://h.example/', 'https://h.example:80/x/', 'http://h.example'),
    header_files: fc.constantFrom({}, { Authorization: import.meta.filename }),
    events: fc.array(fc.constantFrom('push', 'pull', 'hold')),
    repositories: fc.array(glob),
    blobs: fc.boolean(),
    timeout: duration,
    queue_size: size,
  },
  { requiredKeys: ['url'] },
);

const anyConfig = fc.record(
  {
    hosted: fc.record({ delete: fc.boolean(), rules: fc.array(rule) }, { requiredKeys: [] }),
    server: fc.record({ listen: fc.constantFrom('[::1]:7000', ':7001', 'localhost:7002') }),
    operations: fc.record({ listen: fc.constantFrom('off', '127.0.0.1:0') }),
    storage: fc.record({ max_size: size, spool_ttl: duration }, { requiredKeys: [] }),
    upstreams: fc.dictionary(fc.constantFrom('docker.io', 'ghcr.io', 'localhost:5000'), upstream),
    notifications: fc.record({
      endpoints: fc.dictionary(fc.constantFrom('scanner', 'a-b_c', '0'), endpoint),
    }),
    hold: fc.record({
      on_unknown: fc.constantFrom('deny', 'allow'),
      message: fc.constantFrom('wait', 'a: "b" #c'),
    }),
    offline: fc.boolean(),
    log: fc.record({ level: fc.constantFrom('error', 'debug'), access: fc.boolean() }),
  },
  { requiredKeys: [] },
);

describe('printing the configuration', () => {
  it('gives YAML that loads to the same configuration', () => {
    fc.assert(
      fc.property(anyConfig, (values) => {
        const config = load(stringify(values));
        expect(load(printConfig(config))).toEqual(config);
      }),
    );
  });

  it('writes units for people, and "off" and "none" where something is off', () => {
    const text = printConfig(
      load(
        'operations: { listen: off }\ndefault_upstream: none\nstorage: { max_size: 53687091200 }',
      ),
    );
    expect(text).toContain('listen: off\n');
    expect(text).toContain('default_upstream: none\n');
    expect(text).toContain('max_size: 50GiB\n');
    expect(text).toContain('keep_alive_timeout: 1m15s\n');
  });

  it('stars out every secret, those in URLs too, and still loads', () => {
    const text = printConfig(
      load(`
catalog: { redis: { url: "rediss://user:hunter2@h:6379/1" } }
upstreams:
  a.example:
    credentials: { username: me, password: hunter2 }
    proxy: http://me:hunter2@proxy:3128
  b.example: { proxy: "http://hunter2@proxy:3128" }
  d.example: { credentials: [{ username: you, password: hunter2 }, { helper: pass }] }
  c.example: { credentials: { username: me, password_file: ${file} } }
notifications:
  endpoints:
    scanner:
      url: https://scanner.example/events/?token=hunter2&job=scan
      headers: { Authorization: Bearer hunter2 }
`),
    );
    expect(text).not.toContain('hunter2');
    expect(text).toContain('url: rediss://user:***@h:6379/1');
    expect(text).toContain(`password_file: ${file}`);
    expect(text).toMatch(/credentials:\n +- username: you\n +password: "?\*\*\*/);
    const again = load(text);
    expect(again.upstreams['a.example']?.credentials).toEqual({ username: 'me', password: '***' });
    expect(again.notifications.endpoints['scanner']).toMatchObject({
      url: expect.stringMatching(/^https:\/\/scanner\.example\/events\/\?token=\*\*\*/),
      headers: { Authorization: '***' },
    });
    expect(load(printConfig(again))).toEqual(again);
  });

  it('stars out the password that Redis is given by its own key', () => {
    const config = load('catalog: { redis: { url: "redis://h", password: hunter2 } }');
    expect(config.catalog.redis?.password).toBe('hunter2');
    expect(printConfig(config)).not.toContain('hunter2');
  });
});
