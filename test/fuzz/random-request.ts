import type { Digest } from '../../src/oci/digest.ts';
import type { Random } from '../support/random.ts';

/** A request as it goes over the wire. */
export interface RandomRequest {
  readonly method: string;
  readonly target: string;
  /** Header lines. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** What stands between spaces. */
const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const methods = words('GET HEAD PUT POST PATCH DELETE OPTIONS TRACE PURGE PROPFIND');

const components = words(String.raw`
  v2 V2 blobs manifests tags list referrers _catalog uploads docker.io ghcr.io library whale blue
  registry-1.docker.io Whale _x v1 latest . .. ... .hidden - * :digest {x} (a|b) $& [] ~ @ :
  __proto__ constructor toString %2e%2e %2E%2E%2F %2f %252f %5c \ %00 %0a %0d%0aX:%20y %zz % %ff
  %c3%a9 %f0%9f%90%8b é sha256: sha256:zz sha512:00 md5:d41d8cd98f00b204e9800998ecf8427e sha256
`).concat('');

const values = words(String.raw`
  * 0 -1 1 99999999999999999999 NaN true x / ../../etc docker.io ghcr.io DOCKER.IO evil.example
  127.0.0.1:1 [::1] ; , " "" W/"x" "x ÿþ {} <a> ' %00 null identity application/json */* chunked
  application/vnd.oci.image.index.v1+json;q=0 bytes=0- bytes=-0 bytes=5-1 bytes=a-b bytes= lines=0-1
  bytes=0-0,2-3,5- bytes=-99999999999 bytes=999999999999999- bytes=0-9,20-29 bytes=0-9,5-
`).concat('', '\t', 'a b', 'gzip, br', 'bytes=0-4 , 9-', `bytes=${'0-0,'.repeat(99)}1-1`);

const ranges = values.filter((value) => value.startsWith('bytes='));

const headerNames = words(`
  Range If-Range If-None-Match If-Match If-Modified-Since Accept Accept-Encoding Via TE
  Authorization X-Request-Id User-Agent Cookie Expect Upgrade Origin Referer Forwarded Date
  X-Forwarded-For X-Forwarded-Host Content-Type Docker-Content-Digest Traceparent Keep-Alive
  __proto__ x-e~
`);

const parameterNames = words('ns n last artifactType digest mount from tag x').concat('');

/** Makes requests that are valid HTTP/1.1 (RFC 9112), however little sense they make. */
export class RandomRequests {
  readonly #random: Random;
  readonly #digests: readonly Digest[];

  /** @param digests of things that are there, so that some requests get beyond the first question */
  constructor(random: Random, digests: readonly Digest[]) {
    this.#random = random;
    this.#digests = digests;
  }

  next(): RandomRequest {
    const random = this.#random;
    if (random.chance(0.05)) return this.#push();
    const method = random.chance(0.7) ? random.pick(['GET', 'HEAD']) : random.pick(methods);
    const body = random.chance(0.1) && method !== 'TRACE' ? this.#body() : '';
    const headers = Array.from({ length: random.between(0, 5) }, () => {
      const name = random.chance(0.9) ? random.pick(headerNames) : this.#token();
      return `${name}: ${this.#value()}`;
    });
    if (random.chance(0.2)) headers.push(`Range: ${random.pick(ranges)}`);
    return {
      method,
      target: this.#target(),
      headers: [`Host: ${this.#hostname()}`, ...headers.filter(isHarmless)],
      body,
    };
  }

  /** Something like a manifest for a repository that takes it, or one that is to go. */
  #push(): RandomRequest {
    const random = this.#random;
    const method = random.pick(['PUT', 'PUT', 'PUT', 'DELETE']);
    const reference = random.pick(['v1', random.pick(this.#digests), this.#components(1).slice(1)]);
    const query = random.chance(0.3) ? `?tag=v2&tag=${this.#unspaced(this.#value())}` : '';
    const target = `/v2/local/app/manifests/${reference}${query}`;
    const body = method === 'PUT' ? this.#body() : '';
    return { method, target, headers: ['Host: 127.0.0.1'], body };
  }

  #target(): string {
    const random = this.#random;
    const path = random.chance(0.6) ? this.#endpoint() : this.#components(random.between(0, 8));
    if (random.chance(0.6)) return path;
    const parameters = Array.from({ length: random.between(0, 3) }, () => {
      const name = random.pick(parameterNames);
      return `${name}=${this.#unspaced(this.#value())}`;
    });
    return `${path}?${parameters.join('&')}`;
  }

  /** Something like what the API has, with a name that may be any. */
  #endpoint(): string {
    const random = this.#random;
    const name = random.pick([
      'whale',
      'library/whale',
      'docker.io/library/whale',
      'local/app',
      '',
    ]);
    const digest = random.pick(this.#digests);
    const end = random.pick([
      'tags/list',
      'manifests/v1',
      `manifests/${digest}`,
      `blobs/${digest}`,
      `referrers/${digest}`,
      'blobs/uploads/',
      this.#components(2).slice(1),
    ]);
    const start = random.pick(['/v2', '/v2', '/v2', '/docker.io/v2', '/v2/', '/nowhere/v2']);
    return `${start}/${name === '' ? this.#components(3).slice(1) : name}/${end}`;
  }

  #components(count: number): string {
    const random = this.#random;
    const some = Array.from({ length: count }, () => {
      if (random.chance(0.7)) return random.pick(components);
      if (random.chance(0.1)) return 'a'.repeat(random.between(100, 5_000));
      return this.#unspaced(this.#text(random.between(1, 20)));
    });
    return `/${some.join('/')}`;
  }

  /** Bytes, or something like a manifest: the first of them is one, under no Content-Type. */
  #body(): string {
    const random = this.#random;
    if (random.chance(0.3)) return 'x'.repeat(random.between(0, 999));
    const [digest, ...more] = this.#digests;
    const descriptor = { mediaType: 'a/b', digest: random.pick([digest, ...more, 'x']), size: 1 };
    return JSON.stringify(
      random.pick([
        { schemaVersion: 2, manifests: [], annotations: { nr: String(random.between(0, 9)) } },
        { schemaVersion: 2, manifests: [], subject: descriptor },
        { schemaVersion: 2, manifests: [descriptor] },
        { schemaVersion: 2, config: descriptor, layers: [descriptor], subject: descriptor },
        { schemaVersion: random.pick([1, null, '2']), config: null, layers: {} },
        random.pick([null, 1, '', [], {}, [[]]]),
      ]),
    );
  }

  #hostname(): string {
    return this.#random.chance(0.8) ? '127.0.0.1' : this.#unspaced(this.#value());
  }

  #value(): string {
    const random = this.#random;
    if (random.chance(0.5)) return random.pick(values);
    if (random.chance(0.7)) return this.#text(random.between(0, 60));
    const digest = random.pick(this.#digests);
    return random.pick([digest, `"${digest}"`]);
  }

  /** Visible characters, spaces, and those above ASCII. */
  #text(length: number): string {
    const codes = Array.from({ length }, () => {
      return this.#random.chance(0.9)
        ? this.#random.between(0x20, 0x7e)
        : this.#random.between(0x80, 0xff);
    });
    return String.fromCharCode(...codes);
  }

  #token(): string {
    return this.#text(12).replaceAll(/[^a-zA-Z0-9]/g, '-');
  }

  /** What may stand in a request's target. */
  #unspaced(text: string): string {
    return text.replaceAll(/[\s#?]/g, '_');
  }
}

/** Headers that say how the message is framed would make it another message, or none. */
function isHarmless(line: string): boolean {
  return !/^(?:expect|upgrade|te|keep-alive):/i.test(line) || /: \w+$/.test(line);
}

/** As it goes over the wire; the connection ends with it. */
export function onTheWire({ method, target, headers, body }: RandomRequest): Buffer {
  const length = body === '' ? [] : [`Content-Length: ${String(body.length)}`];
  const lines = [`${method} ${target} HTTP/1.1`, ...headers, ...length, 'Connection: close'];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}
