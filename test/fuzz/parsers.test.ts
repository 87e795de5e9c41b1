import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ConfigError } from '../../src/config/config-error.ts';
import { expandVariables } from '../../src/config/expand.ts';
import { parseListen } from '../../src/config/listen.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseByteSize } from '../../src/lib/byte-size.ts';
import { parseDuration } from '../../src/lib/duration.ts';
import { decideRange } from '../../src/oci/byte-range.ts';
import { isDescriptor } from '../../src/oci/descriptor.ts';
import { isDigest, parseDigest } from '../../src/oci/digest.ts';
import { isRegistryError } from '../../src/oci/errors.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import { formatPlatform, parsePlatform } from '../../src/oci/platform.ts';
import { parsePushedManifest } from '../../src/oci/pushed-manifest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseRepositoryName } from '../../src/oci/repository-name.ts';
import { parseChallenges } from '../../src/upstream/challenge.ts';
import { parseContentRange } from '../../src/upstream/content-range.ts';
import { parseHelperOutput } from '../../src/upstream/credential-helper.ts';
import { parseDockerConfig } from '../../src/upstream/docker-config-file.ts';
import { nextPage } from '../../src/upstream/link.ts';
import { readReferrers, readTags } from '../../src/upstream/lists.ts';
import { NoProxy } from '../../src/upstream/no-proxy.ts';
import { parseRateLimit, parseRetryAfter } from '../../src/upstream/rate-limit.ts';
import { judgeRealm } from '../../src/upstream/realm.ts';
import { nextHop } from '../../src/upstream/redirect.ts';
import { parseRegistryUrl } from '../../src/upstream/registry-url.ts';
import { parseTokenAnswer } from '../../src/upstream/token-answer.ts';
import { artifactOf, indexOf, seededImage } from '../support/images.ts';
import { Random } from '../support/random.ts';
import { mutantOf } from './mutant.ts';

jest.setTimeout(60_000);

const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const inputs = Number(process.env['FUZZ_INPUTS'] ?? 4_000);

const image = seededImage([10, 20], 1);
const manifest = image.manifest.bytes.toString();
const index = indexOf({ amd64: image, arm64: image }).manifest.bytes.toString();
const artifact = artifactOf(image.manifest, 'a/b', 'x').manifest.bytes.toString();
const digest = image.manifest.digest;
const hub = new URL('https://registry.example/v2/x/tags/list');
const now = Date.parse('2026-11-21T10:00:00Z');
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const listHead = {
  status: 200,
  headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
  upstream: 'x',
  host: 'x',
};
const list = JSON.stringify({
  tags: ['a', 'v1.2'],
  manifests: [{ mediaType: 'a/b', digest, size: 1 }],
});
const token = JSON.stringify({
  token: 'a.eyJleHAiOjE3OTk5OTk5OTl9.c',
  expires_in: 300,
  issued_at: 'x',
});
const dockerConfig = JSON.stringify({
  auths: {
    'https://index.docker.io/v1/': { auth: 'd2hhbGU6a3JpbGw=' },
    'x:1': { identitytoken: 't' },
  },
  credHelpers: { 'y.example': 'pass' },
  credsStore: 'secretservice',
});
const challenge =
  'Bearer realm="https://auth.example/token?a=\\"b\\"",service="a, b",scope="repository:x:pull", Basic realm=x, Negotiate YII=';

/** A parser by name: valid texts to start from, what it makes of one, and the codes that it may throw. */
interface Subject {
  readonly samples: readonly string[];
  /** Whether what came out is well-formed; what it throws is judged by `refuses`. */
  readonly holds: (text: string) => boolean;
  /** Whether it may throw this; nothing unless told otherwise. */
  readonly refuses?: (error: unknown) => boolean;
}

const code =
  (...codes: Parameters<typeof isRegistryError>[1][]) =>
  (error: unknown): boolean =>
    isRegistryError(error, ...codes);

let folder: string;

const subjects: Readonly<Record<string, Subject>> = {
  'a repository name': {
    samples: ['library/alpine', 'a/b-c/d__e.f', 'x'.repeat(250)],
    holds: (text) =>
      parseRepositoryName(text)
        .split('/')
        .every((part) => /^[a-z0-9]/.test(part)),
    refuses: code('NAME_INVALID'),
  },
  'a reference': {
    samples: ['latest', 'v1.2-rc_1', digest],
    holds: (text) => /^[\w.:-]+$/.test(parseReference(text)),
    refuses: code('TAG_INVALID', 'DIGEST_INVALID'),
  },
  'a digest': {
    samples: [digest, `sha512:${'0'.repeat(128)}`],
    holds: (text) => isDigest(parseDigest(text)),
    refuses: code('DIGEST_INVALID'),
  },
  'a manifest': {
    samples: [manifest, index],
    holds: (text) => {
      const { manifests, blobs } = parseManifest(Buffer.from(text), undefined);
      return [...manifests, ...blobs].every(isDescriptor);
    },
    refuses: code('MANIFEST_INVALID'),
  },
  'a pushed manifest': {
    samples: [manifest, index, artifact],
    holds: (text) => {
      const { manifests, blobs, subject } = parsePushedManifest(Buffer.from(text), '');
      return [...manifests, ...blobs, ...(subject ? [subject] : [])].every(isDescriptor);
    },
    refuses: code('MANIFEST_INVALID'),
  },
  'a platform': {
    samples: ['linux/amd64', 'linux/arm/v7', 'windows(10.0.17763)/amd64', 'arm64'],
    holds(text) {
      const platform = parsePlatform(text);
      return formatPlatform(parsePlatform(formatPlatform(platform))) === formatPlatform(platform);
    },
    refuses: code('REQUEST_INVALID'),
  },
  'a range': {
    samples: ['bytes=0-99', 'bytes=-5,10-', 'bytes=1-2, 4-5, 900-'],
    holds(text) {
      const decision = decideRange(text, 1_000);
      if (decision.kind !== 'partial') return true;
      return decision.ranges.every(({ start, end }) => start >= 0 && start <= end && end < 1_000);
    },
  },
  'a Content-Range': {
    samples: ['bytes 0-99/1234', 'bytes 5-9/*', 'bytes */1234'],
    holds(text) {
      const range = parseContentRange(text);
      return Object.values(range ?? {}).every((value) => value === undefined || isCount(value));
    },
  },
  'a challenge': {
    samples: [challenge, 'Basic realm="x"'],
    holds: (text) => parseChallenges(text).every(({ scheme }) => scheme === scheme.toLowerCase()),
  },
  'a Link': {
    samples: [
      '<https://registry.example//v2/x>; rel="next"',
      '</v2/x/tags/list?n=1&last=a>; rel="next"',
      '<a>; rel=prev, <b>; rel="x next"; a=b',
    ],
    holds: (text) => (nextPage(hub, text) ?? hub).origin === hub.origin,
    refuses: code('UPSTREAM_INVALID'),
  },
  'a Retry-After': {
    samples: ['120', 'Sat, 21 Nov 2026 10:05:00 GMT', 'Saturday, 21-Nov-26 10:05:00 GMT'],
    holds(text) {
      const seconds = parseRetryAfter(text, now);
      return seconds === undefined || (isCount(seconds) && seconds <= 86_400);
    },
  },
  'a rate limit': {
    samples: ['100;w=21600', '76', '100;comment="x";w=60'],
    holds(text) {
      const parsed = parseRateLimit({ 'ratelimit-limit': text, 'ratelimit-remaining': text });
      return [parsed?.limit, parsed?.remaining, parsed?.window].every(
        (value) => value === undefined || isCount(value),
      );
    },
  },
  'a token answer': {
    samples: [token, '{"access_token":"x","expires_in":"60"}'],
    holds(text) {
      const issued = parseTokenAnswer(Buffer.from(text), now);
      return issued === undefined || (issued.lifetime > 0 && /^[\x21-\x7e]+$/.test(issued.token));
    },
  },
  'a list of tags': {
    samples: [list],
    holds: (text) => readTags(Buffer.from(text), listHead).every((tag) => /^[\w.-]+$/.test(tag)),
    refuses: code('UPSTREAM_INVALID'),
  },
  'a list of referrers': {
    samples: [list],
    holds: (text) => readReferrers(Buffer.from(text), listHead)?.every(isDescriptor) ?? true,
    refuses: code('UPSTREAM_INVALID'),
  },
  'a redirect': {
    samples: ['https://cdn.example/x?sig=1', '/relative', '//other.example/x#y'],
    holds(text) {
      const { protocol, username, hash } = nextHop(hub, text);
      return protocol === 'https:' && username === '' && hash === '';
    },
    refuses: code('UPSTREAM_INVALID'),
  },
  'a realm': {
    samples: ['https://auth.registry.example/token', 'https://registry.example:444/t'],
    holds(text) {
      const realm = URL.parse(text);
      if (realm === null) return true;
      const isTrusted = judgeRealm(realm, hub) === 'trusted';
      return (
        !isTrusted ||
        (realm.protocol === 'https:' && /(^|\.)registry\.example$/.test(realm.hostname))
      );
    },
  },
  'a registry URL': {
    samples: ['https://registry.example', 'http://x:5000/v2/prefix', 'https://x/path/v2/a/b'],
    holds(text) {
      const { origin, pathname } = parseRegistryUrl(text).root;
      return origin === new URL(text).origin && pathname.endsWith('/v2/');
    },
    refuses: (error) => error instanceof TypeError && error.message.startsWith('a registry'),
  },
  'a list of hosts without a proxy': {
    samples: ['localhost,.example.com, 10.0.0.0/8 [::1]:80', '*.x:443,fd00::/8', '*'],
    holds: (text) => typeof new NoProxy(text).covers(hub) === 'boolean',
  },
  "Docker's config.json": {
    samples: [dockerConfig],
    holds: (text) => [...parseDockerConfig(text).helpers.values()].every((name) => name !== ''),
    refuses: (error) => /^it is not (JSON|a JSON object)$/.test((error as Error).message),
  },
  "a credential helper's output": {
    samples: [
      '{"ServerURL":"x","Username":"<token>","Secret":"s"}',
      '{"Username":"u","Secret":"s"}',
    ],
    holds: (text) => ['basic', 'identity'].includes(parseHelperOutput(text, 'x').kind),
    refuses: code('UPSTREAM_DENIED'),
  },
  'a duration': {
    samples: ['1h30m', '250ms', '7d', '0'],
    holds: (text) => [undefined, true].includes(whenKnown(parseDuration(text))),
  },
  'a size': {
    samples: ['50GiB', '512KiB', '10MB', '1.5TiB'],
    holds: (text) => [undefined, true].includes(whenKnown(parseByteSize(text))),
  },
  'an address to listen on': {
    samples: ['0.0.0.0:5000', '[::]:5000', ':5000', 'localhost:0'],
    holds(text) {
      const parsed = parseListen(text);
      return parsed === undefined || (isCount(parsed.port) && parsed.port < 65_536);
    },
  },
  'a text with variables': {
    samples: ['a ${X:-b} $${c} ${Y}', '${X}'],
    holds: (text) =>
      Object.values(expandVariables(text, { X: '1' })).every((each) => typeof each === 'string'),
  },
};

/** Whether a number is none that would surprise; undefined where there is none. */
function whenKnown(value: number | undefined): boolean | undefined {
  return value === undefined ? undefined : Number.isFinite(value) && value >= 0;
}

describe(`a parser that is given anything at all (FUZZ_SEED=${String(seed)})`, () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'baleen-fuzz-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What a parser does wrong with mutants of its samples, one of them at most. */
  const wrongOf = ({ samples, holds, refuses }: Subject, count: number): string | undefined => {
    for (let nth = 0; nth < count; nth += 1) {
      const random = new Random(seed * 1_000_000 + nth);
      const text = mutantOf(random.pick(samples), random);
      try {
        if (!holds(text)) return `malformed: ${JSON.stringify(text.slice(0, 300))}`;
      } catch (error) {
        if (refuses?.(error) !== true)
          return `${String(error)}: ${JSON.stringify(text.slice(0, 300))}`;
      }
    }
    return undefined;
  };

  it.each(Object.keys(subjects))(
    'makes something well-formed of it, or refuses it by its name: %s',
    (name) => {
      const subject = subjects[name] as Subject;
      for (const sample of subject.samples) expect(subject.holds(sample)).toBe(true);
      expect(wrongOf(subject, inputs)).toBeUndefined();
    },
  );

  it('makes something well-formed of it, or refuses it by its name: a configuration', () => {
    const file = join(folder, 'config.yaml');
    const example = readFileSync(join(import.meta.dirname, '../../config.example.yaml'), 'utf8');
    // Without its comments nearly every mutation hits something.
    const bare = example.replaceAll(/^ *#.*\n/gm, '');
    const subject: Subject = {
      samples: [bare, example.replaceAll(/^( *)#([a-z ])/gm, '$1$2')],
      holds(text) {
        writeFileSync(file, text);
        return typeof loadConfig({ file, env: {} }).server.listen.port === 'number';
      },
      refuses: (error) => error instanceof ConfigError && error.faults.length > 0,
    };
    expect(wrongOf(subject, Math.ceil(inputs / 10))).toBeUndefined();
  });
});
