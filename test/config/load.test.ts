import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { Config } from '../../src/config/config.ts';
import { ConfigError, formatFault } from '../../src/config/config-error.ts';
import { loadConfig, type LoadOptions } from '../../src/config/load.ts';

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'baleen-config-'));
  file = join(folder, 'config.yaml');
});

afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string, options: Partial<LoadOptions> = {}): Config {
  writeFileSync(file, text);
  return loadConfig({ file, env: {}, ...options });
}

/** The faults, without the folder of the file; none where it loads. */
function faults(text: string, options: Partial<LoadOptions> = {}): string[] {
  try {
    load(text, options);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((fault) => formatFault(fault).replace(`${folder}/`, ''));
  }
}

describe('loading the configuration', () => {
  it('serves docker.io and the well-known registries without a file', () => {
    const config = loadConfig({ env: {} });
    expect(Object.entries(config.upstreams).map(([name, { url }]) => [name, url])).toEqual([
      ['docker.io', 'https://registry-1.docker.io'],
      ['ghcr.io', 'https://ghcr.io'],
      ['quay.io', 'https://quay.io'],
      ['gcr.io', 'https://gcr.io'],
      ['registry.k8s.io', 'https://registry.k8s.io'],
      ['mcr.microsoft.com', 'https://mcr.microsoft.com'],
      ['public.ecr.aws', 'https://public.ecr.aws'],
      ['registry.gitlab.com', 'https://registry.gitlab.com'],
      ['nvcr.io', 'https://nvcr.io'],
      ['lscr.io', 'https://lscr.io'],
    ]);
    expect(config.default_upstream).toBe('docker.io');
    expect(config.server.listen).toEqual({ host: '0.0.0.0', port: 5000 });
    expect(config.operations.listen).toEqual({ host: '127.0.0.1', port: 5001 });
    expect(config.upstreams['docker.io']?.aliases).toEqual([
      'index.docker.io',
      'registry-1.docker.io',
      'registry.hub.docker.com',
    ]);
  });

  it('resolves units, words and paths', () => {
    const config = load(`
storage: { directory: images, max_size: 50GiB }
server: { listen: ":5000", headers_timeout: 1m30s }
operations: { listen: off }
offline: true
upstreams:
  docker.io: { tag_ttl: { "v*": 1d, latest: 10s }, url: "https://registry-1.docker.io/" }
  registry.example.com:
`);
    expect(config.storage).toMatchObject({
      directory: join(process.cwd(), 'images'),
      max_size: 53_687_091_200,
    });
    expect(config.server).toMatchObject({
      listen: { host: undefined, port: 5000 },
      headers_timeout: 90_000,
    });
    expect(config.operations.listen).toBeUndefined();
    expect(config.upstreams['docker.io']).toMatchObject({
      url: 'https://registry-1.docker.io',
      offline: true,
      tag_ttl: {
        default: 60_000,
        patterns: [
          { glob: 'v*', ttl: 86_400_000 },
          { glob: 'latest', ttl: 10_000 },
        ],
      },
    });
    expect(config.upstreams['registry.example.com']?.url).toBe('https://registry.example.com');
  });

  it('takes a rule without names as one for all repositories and tags', () => {
    const { hosted } = load(`
hosted:
  repositories: ["local/**"]
  rules:
    - { repositories: ["local/app"], tags: ["v*"], immutable: true }
    - { keep_last: 3, keep_for: 30d }
`);
    expect(hosted).toMatchObject({
      repositories: ['local/**'],
      delete: true,
      rules: [
        { repositories: ['local/app'], tags: ['v*'], immutable: true },
        {
          repositories: ['**'],
          tags: ['*'],
          immutable: false,
          keep_last: 3,
          keep_for: 2_592_000_000,
        },
      ],
    });
  });

  it('takes the pretty log on a terminal and JSON elsewhere, unless told', () => {
    expect(loadConfig({ env: {}, tty: true }).log.format).toBe('pretty');
    expect(loadConfig({ env: {}, tty: false }).log.format).toBe('json');
    expect(load('log: { format: json }', { tty: true }).log.format).toBe('json');
  });

  it('has no default upstream where docker.io is not among the upstreams', () => {
    expect(load('upstreams: { ghcr.io: }').default_upstream).toBeUndefined();
    expect(load('default_upstream: none').default_upstream).toBeUndefined();
  });

  it('takes a key whose settings are all commented out as not given', () => {
    expect(load('server:\nupstreams:\ncatalog:\n  redis:\n')).toEqual(loadConfig({ env: {} }));
  });

  it('reports every fault at once, each at its line', () => {
    expect(
      faults(`server:
  listen: 5000
  headers_timout: 5s
operations: { listen: "0.0.0.0:0x" }
storage:
  max_size: \${NO_SUCH_SIZE}
  manifest_cache: 5XB
catalog: { redis: { url: "http://h:1", password: a, password_file: ${file} } }
upstreams:
  docker.io:
    tag_ttl: { "v*": 5, latest: 10s }
    mirrors: ["http://x", "ftp://y"]
    credentials: { username: me, password: a, helper: b }
  index.docker.io:
  Upper.example:
  localhost:5000: { url: "https://me:pw@x/", aliases: [gcr.io], connections: 0 }
  gcr.io: { offline: ture, hosts: [a.b], ca: /no/such/file }
  quay.io: { hosts: [A.b], url: "https://h/?x=1" }
default_upstream: docker.oi
log: [5]
`),
    ).toEqual([
      'config.yaml:2:3 server.listen: expected an address and a port, such as "0.0.0.0:5000", "[::]:5000" or ":5000"',
      'config.yaml:3:3 server.headers_timout: unknown key (did you mean headers_timeout?)',
      'config.yaml:4:15 operations.listen: expected an address and a port, such as "127.0.0.1:5001", or off',
      'config.yaml:6:3 storage.max_size: the environment variable NO_SUCH_SIZE is not set',
      'config.yaml:7:3 storage.manifest_cache: expected a size such as 512KiB, 50GiB or 10MB',
      'config.yaml:8:21 catalog.redis.url: expected a URL that starts with redis:// or rediss://',
      'config.yaml:8:40 catalog.redis.password: the password is given twice, by password and password_file',
      'config.yaml:11:16 upstreams.docker.io.tag_ttl.v*: expected a duration with its unit, such as 30s, 1h30m or 7d',
      'config.yaml:12:15 upstreams.docker.io.mirrors[0]: the credentials of an https upstream would be sent over http',
      'config.yaml:12:27 upstreams.docker.io.mirrors[1]: expected a URL that starts with https:// or http://',
      'config.yaml:13:5 upstreams.docker.io.credentials: give only one of username, helper',
      'config.yaml:14:3 upstreams.index.docker.io: is another name of docker.io',
      'config.yaml:15:3 upstreams.Upper.example: an upstream is named like a host in lower case, such as registry.example.com or localhost:5000',
      'config.yaml:16:21 upstreams.localhost:5000.url: the URL must not hold credentials; use `credentials`',
      'config.yaml:16:56 upstreams.localhost:5000.aliases[0]: already leads to gcr.io',
      'config.yaml:16:65 upstreams.localhost:5000.connections: expected a whole number from 1 to 4096',
      'config.yaml:17:13 upstreams.gcr.io.offline: expected true or false',
      'config.yaml:17:42 upstreams.gcr.io.ca: there is no such file',
      'config.yaml:18:22 upstreams.quay.io.hosts[0]: already leads to gcr.io',
      'config.yaml:18:28 upstreams.quay.io.url: the URL must have no query and no fragment',
      'config.yaml:19:1 default_upstream: must be the name of an upstream, or none (did you mean docker.io?)',
      'config.yaml:20:1 log: expected a mapping of keys to values',
    ]);
  });

  it.each([
    [
      'a syntax error',
      'server:\n  listen: "x\n',
      /^config\.yaml:3:1: not YAML: Missing closing "quote$/,
    ],
    [
      'a bad indent',
      'server:\n\tlisten: x\n',
      /^config\.yaml:2:1: not YAML: Tabs are not allowed as indentation$/,
    ],
    [
      'a duplicate key',
      'log: {}\nserver: {}\nlog: {}\n',
      /^config\.yaml:3:1: this key is there twice$/,
    ],
    [
      'two documents',
      'log: {}\n---\nlog: {}\n',
      /^config\.yaml:2:1: only one YAML document is read$/,
    ],
    ['a list', '- a\n', /^config\.yaml:1:1: expected a mapping of keys to values$/],
    ['a tag', 'log: !!js/function x\n', /^config\.yaml:1:6: this tag is not known here$/],
    [
      'a bomb',
      `a: &a [1]\nb: &b [${'*a,'.repeat(50)}]\nc: &c [${'*b,'.repeat(50)}]\nd: [${'*c,'.repeat(50)}]\n`,
      /^config\.yaml: its anchors and aliases cannot be resolved$/,
    ],
    [
      'an unclosed ${',
      'storage: { directory: "a${b" }\n',
      /^config\.yaml:1:12 storage\.directory: a \$\{ that starts no/,
    ],
    [
      'a bare number for text',
      'upstreams: { a.b: { credentials: { username: 5, password: x } } }',
      /credentials\.username: expected text \(a bare number/,
    ],
    [
      'a reserved name',
      'upstreams: { library: }',
      /^config\.yaml:1:14 upstreams\.library: this word cannot name/,
    ],
    [
      'the same address twice',
      'operations: { listen: "127.0.0.1:5000" }',
      /^config\.yaml:1:15 operations\.listen: is the same address/,
    ],
    [
      'empty credentials',
      'upstreams: { a.b: { credentials: {} } }',
      /credentials: needs username and password/,
    ],
    [
      'an empty list of credentials',
      'upstreams: { a.b: { credentials: [] } }',
      /credentials: must not be empty/,
    ],
    [
      'one of several credentials that is empty',
      'upstreams: { a.b: { credentials: [{ helper: x }, {}] } }',
      /credentials\[1\]: needs username and password/,
    ],
    [
      'an unknown key in one of several credentials',
      'upstreams: { a.b: { credentials: [{ helper: x }, { helper: y, usrname: z }] } }',
      /credentials\[1\]\.usrname: unknown key.*username/,
    ],
    [
      'a file that is not there in one of several credentials',
      'upstreams: { a.b: { credentials: [{ docker_config: /no/such }] } }',
      /credentials\[0\]\.docker_config: there is no such file/,
    ],
    [
      'credentials that are text',
      'upstreams: { a.b: { credentials: hunter2 } }',
      /credentials: expected a mapping/,
    ],
    [
      'a floor above all',
      'upstreams: { a.b: { rate_limit: { floor: 101% } } }',
      /floor: expected a share such as 10%/,
    ],
    [
      'a longest wait that is shorter than the first',
      'upstreams: { a.b: { breaker: { first_wait: 5s, longest_wait: 1s } } }',
      /longest_wait: must not be shorter than first_wait/,
    ],
    [
      'a username alone',
      'upstreams: { a.b: { credentials: { username: x } } }',
      /credentials: a username needs password/,
    ],
    [
      'a realm with a path',
      'upstreams: { a.b: { realms: ["https://auth.example/token"] } }',
      /realms\[0\]: expected an origin/,
    ],
    [
      'a timeout of zero',
      'upstreams: { a.b: { timeouts: { idle: 0 } } }',
      /timeouts\.idle: must be from 1ms to 1d$/,
    ],
    [
      'a rule that says nothing',
      'hosted: { rules: [{ tags: ["v*"] }] }',
      /hosted\.rules\[0\]: says nothing: give it immutable, keep_last or keep_for$/,
    ],
    [
      'an unknown key in a rule',
      'hosted: { rules: [{ immutable: true }, { keep_lst: 5, immutable: true }] }',
      /hosted\.rules\[1\]\.keep_lst: unknown key \(did you mean keep_last\?\)$/,
    ],
    [
      'a rule for no tags',
      'hosted: { rules: [{ tags: [], immutable: true }] }',
      /hosted\.rules\[0\]\.tags: must not be empty/,
    ],
    [
      'a rule that keeps nothing',
      'hosted: { rules: [{ keep_last: 0 }] }',
      /hosted\.rules\[0\]\.keep_last: expected a whole number from 1/,
    ],
  ])('refuses %s', (_name, text, fault) => {
    const found = faults(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(fault);
  });

  it('names a file that cannot be read, and who named it', () => {
    expect(() => loadConfig({ file: '/no/such', env: {} })).toThrow(
      /\/no\/such: there is no such file/,
    );
    expect(() => loadConfig({ env: { BALEEN_CONFIG: '/no/such' } })).toThrow(
      /BALEEN_CONFIG: \/no\/such: there/,
    );
    expect(() => loadConfig({ file: folder, env: {} })).toThrow(/this is a directory, not a file/);
  });

  it('expands variables in values, and leaves what they hold alone', () => {
    const env = { WHERE: '/srv/${HOME}', EMPTY: '' };
    const text =
      'storage: { directory: "${WHERE}/${EMPTY:-x}$${y}" }\nlog: { level: "${LEVEL:-debug}" }';
    const config = load(text, { env });
    expect(config.storage.directory).toBe('/srv/${HOME}/x${y}');
    expect(config.log.level).toBe('debug');
    expect(load('offline: ${OFF:-true}').offline).toBe(true);
  });

  it('overrides the file by the environment, and both by options', () => {
    const env = {
      BALEEN_CONFIG: '',
      BALEEN_STORAGE_MAX_SIZE: '1GiB',
      BALEEN_SERVER_LISTEN: '127.0.0.1:1',
      BALEEN_OFFLINE: 'false',
      BALEEN_CATALOG_REDIS_URL: 'redis://h',
      BALEEN_UPSTREAMS_DOCKER_IO_MIRRORS: 'https://a, https://b/',
      BALEEN_UPSTREAMS_DOCKER_IO_CREDENTIALS_USERNAME: 'u',
      BALEEN_UPSTREAMS_DOCKER_IO_CREDENTIALS_PASSWORD: '12345',
      BALEEN_UPSTREAMS_DOCKER_IO_TAG_TTL: '5m',
      BALEEN_UPSTREAMS_DOCKER_IO_CONNECTIONS: '7',
      BALEEN_LOG_LEVEL: '',
      UNRELATED: 'x',
    };
    const overrides = [{ path: ['server', 'listen'], value: ':2', source: '--listen' }];
    const text =
      'storage: { max_size: 2GiB }\noffline: true\nlog: { level: warn }\nupstreams: { docker.io: }';
    const config = load(text, { env, overrides });
    expect(config.storage.max_size).toBe(2 ** 30);
    expect(config.server.listen).toEqual({ host: undefined, port: 2 });
    expect(config.offline).toBe(false);
    expect(config.log.level).toBe('warn');
    expect(config.catalog.redis).toMatchObject({ url: 'redis://h', timeout: 100 });
    expect(config.upstreams['docker.io']).toMatchObject({
      mirrors: ['https://a', 'https://b'],
      credentials: { username: 'u', password: '12345' },
      tag_ttl: { default: 300_000, patterns: [] },
      connections: 7,
    });
  });

  it('names the variable or option that a fault came from', () => {
    const overrides = [{ path: ['log', 'level'], value: 'loud', source: '--log-level' }];
    const env = {
      BALEEN_STORAGE_MAX_SIZ: '5',
      BALEEN_SERVER_DRAIN_TIMEOUT: 'soon',
      BALEEN_UPSTREAMS_GCR_IO_URL: 'gcr.io',
      BALEEN_UPSTREAMS_NOT_THERE_URL: 'https://x',
    };
    expect(faults('upstreams: { gcr.io: }', { env, overrides })).toEqual([
      'BALEEN_SERVER_DRAIN_TIMEOUT server.drain_timeout: expected a duration with its unit, such as 250ms, 30s, 1h30m or 7d',
      'BALEEN_UPSTREAMS_GCR_IO_URL upstreams.gcr.io.url: expected a URL that starts with https:// or http://',
      '--log-level log.level: expected one of error, warn, info, debug',
      'BALEEN_STORAGE_MAX_SIZ: no such setting (did you mean BALEEN_STORAGE_MAX_SIZE?)',
      expect.stringMatching(/^BALEEN_UPSTREAMS_NOT_THERE_URL: no such setting/),
    ]);
  });

  it('refuses a variable that could mean two upstreams', () => {
    const env = { BALEEN_UPSTREAMS_A_B_URL: 'https://x' };
    expect(faults('upstreams: { a.b: , a-b: }', { env })).toEqual([
      'BALEEN_UPSTREAMS_A_B_URL: could mean several upstreams; set it in the file',
    ]);
  });

  it('ignores the variables that Kubernetes sets beside a Service of its name', () => {
    const env = {
      BALEEN_SERVICE_HOST: '10.0.0.1',
      BALEEN_SERVICE_PORT: '5000',
      BALEEN_SERVICE_PORT_HTTP: '5000',
      BALEEN_PORT: 'tcp://10.0.0.1:5000',
      BALEEN_PORT_5000_TCP: 'tcp://10.0.0.1:5000',
      BALEEN_PORT_5000_TCP_PROTO: 'tcp',
      BALEEN_CACHE_PORT_5000_TCP_ADDR: '10.0.0.1',
    };
    expect(loadConfig({ env })).toEqual(loadConfig({ env: {} }));
    expect(faults('', { env: { BALEEN_PORT: '5000' } })).toHaveLength(1);
  });

  it('does not let one upstream’s override reach another that shares its YAML anchor', () => {
    const env = { BALEEN_UPSTREAMS_A_EXAMPLE_CONNECTIONS: '3' };
    const config = load('upstreams: { a.example: &x { connections: 5 }, b.example: *x }', { env });
    expect(config.upstreams['a.example']?.connections).toBe(3);
    expect(config.upstreams['b.example']?.connections).toBe(5);
  });

  it('shows control characters of a key as text', () => {
    expect(faults('"a\\nb\\e[31m": 1')).toEqual([
      'config.yaml:1:1 a\\u{a}b\\u{1b}[31m: unknown key',
    ]);
  });
});

describe('secrets in faults', () => {
  const secret = 'hunter2-s3cret';

  it.each([
    [
      'a password beside another',
      `upstreams: { a.b: { credentials: { username: u, password: ${secret}, helper: x } } }`,
    ],
    ['a URL with credentials', `upstreams: { a.b: { url: "https://u:${secret}@h/" } }`],
    ['a broken URL', `catalog: { redis: { url: "redis//:${secret}@h" } }`],
    [
      'a secret in the wrong place',
      `storage: { max_size: ${secret} }\nlog: { level: ${secret} }\nserver: ${secret}`,
    ],
    ['a syntax error in its line', `upstreams: { a.b: { credentials: { password: ${secret}" : } }`],
    ['an unclosed quote', `upstreams:\n  a.b:\n    credentials: { password: "${secret}\n`],
    ['an anchor that is not there', `log: *${secret}`],
    ['an unknown escape', `log: "${secret}\\z${secret}"`],
    ['a tag', `log: !${secret} x`],
    ['a directive', `%${secret} x\n---\nlog: {}`],
    ['a file', `upstreams: { a.b: { credentials: { username: u, password_file: /${secret} } } }`],
  ])('are not quoted: %s', (_name, text) => {
    const found = faults(text);
    expect(found).not.toEqual([]);
    expect(found.join('\n')).not.toContain(secret);
  });

  it('are not quoted where they come from a variable', () => {
    const env = { PW: secret, BALEEN_STORAGE_MAX_SIZE: secret, BALEEN_LOG_LEVLE: secret };
    const found = faults('log: { level: "${PW}" }', { env });
    expect(found).toHaveLength(3);
    expect(found.join('\n')).not.toContain(secret);
  });
});

const loadsOrNamesFaults = (text: string, env: Record<string, string> = {}): void => {
  try {
    load(text, { env });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).faults.length).toBeGreaterThan(0);
  }
};

describe('any input', () => {
  const settings = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'server',
      'upstreams',
      'docker.io',
      'listen',
      'tag_ttl',
      'credentials',
      '${X}',
      '__proto__',
      'constructor',
    ),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      settings,
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(settings, tie('tree'), { maxKeys: 4 }),
    ),
  }));

  it('of text never fails with anything but faults', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => loadsOrNamesFaults(text)));
  });

  it('of values never fails with anything but faults', () => {
    const sections = fc.constantFrom(
      'server',
      'operations',
      'storage',
      'catalog',
      'upstreams',
      'log',
      'offline',
      'default_upstream',
    );
    fc.assert(
      fc.property(fc.dictionary(sections, tree), (values) =>
        loadsOrNamesFaults(JSON.stringify(values)),
      ),
      { numRuns: 300 },
    );
  });

  it('of variables never fails with anything but faults', () => {
    const names = fc.constantFrom(
      'BALEEN_LOG',
      'BALEEN_UPSTREAMS_DOCKER_IO_MIRRORS',
      'BALEEN_STORAGE_MAX_SIZE',
      'BALEEN_',
      'BALEEN_UPSTREAMS_X_URL',
    );
    fc.assert(
      fc.property(fc.dictionary(names, fc.string()), tree, (env, upstreams) =>
        loadsOrNamesFaults(JSON.stringify({ upstreams }), env),
      ),
    );
    expect(Object.hasOwn(Object.prototype, 'connections')).toBe(false);
  });
});
