import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { digestOf, splitDigest } from '../../src/oci/digest.ts';
import { maxManifestSize } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-type.ts';
import { codeOf, messageOf, startHostedApp, type HostedApp } from '../support/hosted-app.ts';
import {
  content,
  descriptorOf,
  imageOf,
  indexOf,
  layerOf,
  seededImage,
  type Content,
} from '../support/images.ts';
import { waitFor } from '../support/wait-for.ts';

let app: HostedApp;
let count = 0;
beforeAll(async () => {
  app = await startHostedApp();
});
afterAll(() => app.dispose());

/** A repository of its own for each test. */
function fresh(): string {
  return `local/test-${String((count += 1))}`;
}

/** A manifest's document, put into bytes anew. */
function changed(manifest: Content, change: object): Content {
  const document = { ...(JSON.parse(manifest.bytes.toString()) as object), ...change };
  return content(Buffer.from(JSON.stringify(document)), manifest.mediaType);
}

describe('a manifest that is pushed', () => {
  it.each(['oci', 'docker'] as const)(
    'by a tag is pulled byte for byte, by tag and digest, also after a restart: %s',
    async (format) => {
      const name = fresh();
      const image = seededImage([10], 1, format);
      await app.placeParts(name, image);
      const { manifest } = image;
      const pushed = await app.put(name, 'v1', manifest);
      expect(pushed.status).toBe(201);
      expect(pushed.headers.get('location')).toBe(`/v2/${name}/manifests/${manifest.digest}`);
      expect(pushed.headers.get('docker-content-digest')).toBe(manifest.digest);
      expect(pushed.headers.get('oci-subject')).toBeNull();
      for (const _ of ['now', 'restarted']) {
        for (const reference of ['v1', manifest.digest]) {
          const pulled = await app.get(`/v2/${name}/manifests/${reference}`);
          expect(pulled.status).toBe(200);
          expect(pulled.body.equals(manifest.bytes)).toBe(true);
          expect(pulled.headers.get('content-type')).toBe(manifest.mediaType);
          expect(pulled.headers.get('docker-content-digest')).toBe(manifest.digest);
        }
        expect(await app.get(`/v2/${name}/tags/list`)).toMatchObject({ status: 200 });
        await app.restart();
      }
    },
  );

  it('moves its tag, and stays by its digest', async () => {
    const name = fresh();
    const [one, two] = [seededImage([10], 1), seededImage([10], 2)];
    await app.placeParts(name, one);
    await app.placeParts(name, two);
    await app.put(name, 'latest', one.manifest);
    await app.put(name, 'latest', two.manifest);
    const tagged = await app.get(`/v2/${name}/manifests/latest`);
    expect(tagged.headers.get('docker-content-digest')).toBe(two.manifest.digest);
    expect((await app.get(`/v2/${name}/manifests/${one.manifest.digest}`)).status).toBe(200);
  });

  it('by its digest has no tag, or those of the query, each answered', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await app.placeParts(name, image);
    const { digest } = image.manifest;
    expect((await app.put(name, digest, image.manifest)).status).toBe(201);
    expect((await app.get(`/v2/${name}/tags/list`)).body.toString()).toBe(
      `{"name":"${name}","tags":[]}`,
    );
    const query = '?tag=1.2.3&tag=1.2&tag=1&tag=latest&tag=1';
    const pushed = await app.put(name, digest + query, image.manifest);
    expect(pushed.status).toBe(201);
    expect(pushed.headers.get('oci-tag')).toBe('1.2.3, 1.2, 1, latest');
    const { tags } = JSON.parse((await app.get(`/v2/${name}/tags/list`)).body.toString()) as {
      tags: string[];
    };
    expect(tags).toEqual(['1', '1.2', '1.2.3', 'latest']);
  });

  it('may go by a sha512 digest, with tags', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await app.placeParts(name, image);
    const digest = digestOf(image.manifest.bytes, 'sha512');
    const pushed = await app.put(name, `${digest}?tag=long`, image.manifest);
    expect(pushed.status).toBe(201);
    expect(pushed.headers.get('docker-content-digest')).toBe(digest);
    expect(pushed.headers.get('location')).toBe(`/v2/${name}/manifests/${digest}`);
    const pulled = await app.get(`/v2/${name}/manifests/long`);
    expect(pulled.headers.get('docker-content-digest')).toBe(digest);
    expect(pulled.body.equals(image.manifest.bytes)).toBe(true);
  });

  it('may be an index, of images, of indexes, and of nothing', async () => {
    const name = fresh();
    const inner = indexOf({ amd64: seededImage([10], 1), arm64: seededImage([10], 2) });
    await app.placeParts(name, inner);
    expect((await app.put(name, inner.manifest.digest, inner.manifest)).status).toBe(201);
    const document = { schemaVersion: 2, manifests: [descriptorOf(inner.manifest)] };
    const outer = content(Buffer.from(JSON.stringify(document)), mediaTypes.ociIndex);
    expect((await app.put(name, 'nested', outer)).status).toBe(201);
    const nothing = content(
      Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: null })),
      mediaTypes.ociIndex,
    );
    expect((await app.put(name, 'nothing', nothing)).status).toBe(201);
  });

  it('may be an index of layers, as BuildKit keeps its cache', async () => {
    const name = fresh();
    const [layer, config] = [
      layerOf(10, 1),
      content(Buffer.from('{}'), 'application/vnd.buildkit.cacheconfig.v0'),
    ];
    const document = { schemaVersion: 2, manifests: [layer, config].map(descriptorOf) };
    const cache = content(Buffer.from(JSON.stringify(document)), mediaTypes.ociIndex);
    expect(codeOf(await app.put(fresh(), 'cache', cache))).toBe('MANIFEST_BLOB_UNKNOWN');
    for (const blob of [layer, config]) await app.placeBlob(name, blob);
    expect((await app.put(name, 'cache', cache)).status).toBe(201);
  });

  it('may have layers that nobody else may distribute, and no layers at all', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await app.placeParts(name, image);
    const foreign = {
      ...descriptorOf(layerOf(10, 9)),
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    };
    const urls = ['https://elsewhere.example/layer'];
    const named = changed(image.manifest, { layers: [{ ...foreign, urls }] });
    expect((await app.put(name, 'windows', named)).status).toBe(201);
    const nowhere = changed(image.manifest, { layers: [foreign] });
    expect(codeOf(await app.put(name, 'nowhere', nowhere))).toBe('MANIFEST_BLOB_UNKNOWN');
    const ordinary = { ...foreign, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', urls };
    const lazy = changed(image.manifest, { layers: [ordinary] });
    expect(codeOf(await app.put(name, 'lazy', lazy))).toBe('MANIFEST_BLOB_UNKNOWN');
    expect((await app.put(name, 'empty', changed(image.manifest, { layers: [] }))).status).toBe(
      201,
    );
  });

  it('may come without a media type, or under a vague one', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await app.placeParts(name, image);
    const bare = changed(image.manifest, { mediaType: undefined });
    for (const type of ['application/json', 'application/octet-stream']) {
      const pushed = await app.put(name, 'bare', { ...bare, mediaType: type });
      expect(pushed.status).toBe(201);
      const pulled = await app.get(`/v2/${name}/manifests/bare`);
      expect(pulled.headers.get('content-type')).toBe(mediaTypes.ociManifest);
    }
    const charset = { ...image.manifest, mediaType: `${mediaTypes.ociManifest}; charset=utf-8` };
    expect((await app.put(name, 'charset', charset)).status).toBe(201);
    const { headers } = await app.get(`/v2/${name}/manifests/charset`);
    expect(headers.get('content-type')).toBe(mediaTypes.ociManifest);
  });

  it('may be as large as clients take, and no larger', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await app.placeParts(name, image);
    const filled = (size: number): Content => {
      const empty = changed(image.manifest, { annotations: { a: '' } }).bytes.length;
      return changed(image.manifest, { annotations: { a: 'x'.repeat(size - empty) } });
    };
    for (const size of [4 * 1024 * 1024, maxManifestSize]) {
      const large = filled(size);
      expect(large.bytes).toHaveLength(size);
      expect((await app.put(name, 'large', large)).status).toBe(201);
      const pulled = await app.get(`/v2/${name}/manifests/large`);
      expect(pulled.body.equals(large.bytes)).toBe(true);
    }
    for (const size of [maxManifestSize + 1, 3 * maxManifestSize]) {
      const refused = await app.put(name, 'larger', filled(size));
      expect([refused.status, codeOf(refused)]).toEqual([413, 'SIZE_LIMIT']);
    }
    expect((await app.get(`/v2/${name}/manifests/larger`)).status).toBe(404);
  });

  const valid = seededImage([10], 7);
  const { manifest } = valid;
  const other = digestOf(Buffer.from('other'));
  const written = (bytes: string, mediaType: string = mediaTypes.ociManifest): Content =>
    content(Buffer.from(bytes), mediaType);
  it.each<[string, string, Content, number, string]>([
    ['another digest than its own', other, manifest, 400, 'DIGEST_INVALID'],
    ['a malformed digest', 'sha256:baddigeststring', manifest, 400, 'DIGEST_INVALID'],
    ['a digest of no known kind', `blake3:${'0'.repeat(64)}`, manifest, 400, 'DIGEST_INVALID'],
    ['a malformed tag', '.hidden', manifest, 400, 'TAG_INVALID'],
    [
      'a malformed tag in the query',
      `${manifest.digest}?tag=a&tag=/`,
      manifest,
      400,
      'TAG_INVALID',
    ],
    [
      'a hundred tags too many',
      `${manifest.digest}?${Array.from({ length: 101 }, (_, n) => `tag=${String(n)}`).join('&')}`,
      manifest,
      400,
      'TAG_INVALID',
    ],
    ['nothing', 'a', written(''), 400, 'MANIFEST_INVALID'],
    ['no JSON', 'a', written('<html>'), 400, 'MANIFEST_INVALID'],
    ['no object', 'a', written('[]'), 400, 'MANIFEST_INVALID'],
    ['no config', 'a', changed(manifest, { config: undefined }), 400, 'MANIFEST_INVALID'],
    ['malformed layers', 'a', changed(manifest, { layers: [{}] }), 400, 'MANIFEST_INVALID'],
    ['a malformed subject', 'a', changed(manifest, { subject: {} }), 400, 'MANIFEST_INVALID'],
    [
      'an image and an index in one',
      'a',
      changed(manifest, { manifests: [] }),
      400,
      'MANIFEST_INVALID',
    ],
    [
      'another type than it says of itself',
      'a',
      { ...manifest, mediaType: mediaTypes.dockerManifest },
      400,
      'MANIFEST_INVALID',
    ],
    [
      'a type that is none',
      'a',
      { ...manifest, mediaType: 'application/vnd.example+json' },
      400,
      'MANIFEST_INVALID',
    ],
    [
      'schema 1',
      'a',
      written('{"schemaVersion":1}', 'application/vnd.docker.distribution.manifest.v1+prettyjws'),
      400,
      'MANIFEST_INVALID',
    ],
    [
      'schema 1 under a vague type',
      'a',
      written('{"schemaVersion":1}', 'application/json'),
      400,
      'MANIFEST_INVALID',
    ],
    [
      'a layer that is not there',
      'a',
      changed(manifest, { layers: [descriptorOf(layerOf(10, 8))] }),
      404,
      'MANIFEST_BLOB_UNKNOWN',
    ],
    [
      'an index whose platform is not there',
      'a',
      indexOf({ amd64: seededImage([10], 8) }).manifest,
      404,
      'MANIFEST_BLOB_UNKNOWN',
    ],
  ])('is refused with %s, and leaves nothing', async (_, reference, pushed, status, code) => {
    const name = fresh();
    await app.placeParts(name, valid);
    const answer = await app.put(name, reference, pushed);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    expect((await app.get(`/v2/${name}/manifests/${pushed.digest}`)).status).toBe(404);
    expect((await app.get(`/v2/${name}/manifests/a`)).status).toBe(404);
    expect(app.failed).toEqual([]);
  });

  it('says what is missing, and who cannot be served any more', async () => {
    const name = fresh();
    const image = seededImage([10, 11], 3);
    await app.placeBlob(name, image.blobs[1]!);
    const missing = await app.put(name, 'v1', image.manifest);
    expect(messageOf(missing)).toContain(image.blobs[0]!.digest);
    expect(messageOf(missing)).not.toContain(image.blobs[1]!.digest);
    const old = written(
      '{"schemaVersion":1}',
      'application/vnd.docker.distribution.manifest.v1+json',
    );
    expect(messageOf(await app.put(name, 'v1', old))).toContain('schema 1');
  });

  it('needs what it names in its own repository, not in another', async () => {
    const image = seededImage([10], 4);
    await app.placeParts('local/elsewhere', image);
    expect(codeOf(await app.put(fresh(), 'v1', image.manifest))).toBe('MANIFEST_BLOB_UNKNOWN');
  });

  it('is needed again where a layer has been lost', async () => {
    const name = fresh();
    const image = seededImage([10], 5);
    await app.placeParts(name, image);
    const layer = image.blobs[1]!;
    const { hex } = splitDigest(layer.digest);
    await rm(`${app.root}/blobs/sha256/${hex.slice(0, 2)}/${hex}`);
    expect(messageOf(await app.put(name, 'v1', image.manifest))).toContain(layer.digest);
    await app.placeBlob(name, layer);
    expect((await app.put(name, 'v1', image.manifest)).status).toBe(201);
  });

  it.each(['lost', 'cut short', 'another'])(
    'is a 404 with a log line when its file is %s, and is repaired by a push',
    async (damage) => {
      const name = fresh();
      const image = imageOf({ damage }, []);
      await app.placeParts(name, image);
      await app.put(name, 'v1', image.manifest);
      const { digest, bytes } = image.manifest;
      const { hex } = splitDigest(digest);
      const path = `${app.root}/blobs/sha256/${hex.slice(0, 2)}/${hex}`;
      if (damage === 'lost') await rm(path);
      else await writeFile(path, damage === 'another' ? '{}' : bytes.subarray(0, 20));
      await app.restart();
      const before = app.log.length;
      for (const reference of ['v1', digest]) {
        const answer = await app.get(`/v2/${name}/manifests/${reference}`);
        expect([answer.status, codeOf(answer)]).toEqual([404, 'MANIFEST_UNKNOWN']);
      }
      expect(JSON.stringify(app.log.slice(before))).toContain('lost or damaged');
      expect((await app.put(name, 'v1', image.manifest)).status).toBe(201);
      expect((await readFile(path)).equals(bytes)).toBe(true);
      expect((await app.get(`/v2/${name}/manifests/v1`)).status).toBe(200);
    },
  );

  it('is not taken for a name that leads to an upstream: that says where it leads', async () => {
    const image = seededImage([10], 1);
    for (const name of ['library/whale', 'whale', 'ghcr.io/local/app', 'docker.io/local/app']) {
      const answer = await app.put(name, 'v1', image.manifest);
      expect([answer.status, codeOf(answer)]).toEqual([405, 'UNSUPPORTED']);
      expect(answer.headers.get('allow')).toBe('GET, HEAD');
      expect(messageOf(answer)).toMatch(/leads to (docker|ghcr)\.io\/.*hosted\.repositories/);
    }
    const proxied = await app.ask('DELETE', '/v2/library/whale/manifests/v1');
    expect([proxied.status, codeOf(proxied)]).toEqual([405, 'UNSUPPORTED']);
    const ns = await app.ask('DELETE', '/v2/local/app/manifests/v1?ns=docker.io');
    expect(ns.status).toBe(405);
  });
});

describe('a client that pushes a manifest', () => {
  it('may take its time, longer than over the head of a request', async () => {
    const patient = await startHostedApp({}, { headersTimeout: 200 });
    const image = imageOf({ slow: true }, []);
    await patient.placeParts('local/app', image);
    const { bytes, mediaType } = image.manifest;
    const socket = connect(patient.port, '127.0.0.1');
    socket.write(
      'PUT /v2/local/app/manifests/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n' +
        `Content-Type: ${mediaType}\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    socket.on('error', () => undefined);
    const answer = text(socket).catch(String);
    const piece = Math.ceil(bytes.length / 10);
    for (let sent = 0; sent < bytes.length; sent += piece) {
      socket.write(bytes.subarray(sent, sent + piece));
      await delay(100);
    }
    expect(await answer).toMatch(/^HTTP\/1\.1 201 /);
    await patient.dispose();
  });

  it('is not waited for where it goes to sleep in the middle', async () => {
    const sleepy = await startHostedApp({}, { stallTimeout: 300 });
    const socket = connect(sleepy.port, '127.0.0.1');
    const head =
      'PUT /v2/local/app/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n';
    socket.write(`${head}{"schemaVersion":`);
    await once(socket, 'close');
    await waitFor('the request to be logged', () => sleepy.ended.length > 0);
    expect(sleepy.failed).toEqual([]);
    await sleepy.dispose();
  });
});

describe('a manifest that is deleted', () => {
  it('by its digest is gone at once, with its tags and out of every list', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await app.placeParts(name, image);
    const { digest } = image.manifest;
    await app.put(name, `${digest}?tag=a&tag=b`, image.manifest);
    const deleted = await app.ask('DELETE', `/v2/${name}/manifests/${digest}`);
    expect(deleted.status).toBe(202);
    for (const _ of ['now', 'restarted']) {
      for (const reference of [digest, 'a', 'b']) {
        const gone = await app.ask('HEAD', `/v2/${name}/manifests/${reference}`);
        expect(gone.status).toBe(404);
      }
      expect((await app.get(`/v2/${name}/tags/list`)).body.toString()).toContain('"tags":[]');
      await app.restart();
    }
    const again = await app.ask('DELETE', `/v2/${name}/manifests/${digest}`);
    expect([again.status, codeOf(again)]).toEqual([404, 'MANIFEST_UNKNOWN']);
  });

  it('by its tag loses that tag, and nothing else', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await app.placeParts(name, image);
    const { digest } = image.manifest;
    await app.put(name, `${digest}?tag=a&tag=b`, image.manifest);
    expect((await app.ask('DELETE', `/v2/${name}/manifests/a`)).status).toBe(202);
    expect((await app.get(`/v2/${name}/manifests/a`)).status).toBe(404);
    expect((await app.get(`/v2/${name}/manifests/b`)).status).toBe(200);
    expect((await app.get(`/v2/${name}/manifests/${digest}`)).status).toBe(200);
    const again = await app.ask('DELETE', `/v2/${name}/manifests/a`);
    expect([again.status, codeOf(again)]).toEqual([404, 'MANIFEST_UNKNOWN']);
  });

  it('must not belong to an index', async () => {
    const name = fresh();
    const index = indexOf({ amd64: seededImage([10], 1), arm64: seededImage([10], 2) });
    await app.placeParts(name, index);
    await app.put(name, 'v1', index.manifest);
    const child = `/v2/${name}/manifests/${index.children[0]!.digest}`;
    const held = await app.ask('DELETE', child);
    expect([held.status, codeOf(held)]).toEqual([403, 'DENIED']);
    expect(messageOf(held)).toContain(index.manifest.digest);
    expect((await app.get(child)).status).toBe(200);
    const whole = await app.ask('DELETE', `/v2/${name}/manifests/${index.manifest.digest}`);
    expect(whole.status).toBe(202);
    expect((await app.ask('DELETE', child)).status).toBe(202);
  });

  it('may have been lost before', async () => {
    const name = fresh();
    const image = imageOf({ lost: true }, []);
    await app.placeParts(name, image);
    await app.put(name, 'v1', image.manifest);
    const { hex } = splitDigest(image.manifest.digest);
    await rm(`${app.root}/blobs/sha256/${hex.slice(0, 2)}/${hex}`);
    await app.restart();
    const path = `/v2/${name}/manifests/${image.manifest.digest}`;
    expect((await app.ask('DELETE', path)).status).toBe(202);
    expect((await app.ask('DELETE', path)).status).toBe(404);
  });

  it('leaves no repository on the list once the last blob is deleted, too', async () => {
    const name = fresh();
    const image = imageOf({ last: true }, []);
    await app.placeParts(name, image);
    await app.put(name, 'v1', image.manifest);
    expect((await app.get('/v2/_catalog')).body.toString()).toContain(`"${name}"`);
    await app.ask('DELETE', `/v2/${name}/manifests/${image.manifest.digest}`);
    expect((await app.get('/v2/_catalog')).body.toString()).toContain(`"${name}"`);
    for (const { digest } of image.blobs) {
      expect((await app.ask('DELETE', `/v2/${name}/blobs/${digest}`)).status).toBe(202);
    }
    expect((await app.get('/v2/_catalog')).body.toString()).not.toContain(`"${name}"`);
    const tags = await app.get(`/v2/${name}/tags/list`);
    expect([tags.status, codeOf(tags)]).toEqual([404, 'NAME_UNKNOWN']);
  });

  it.each(['sha256:bad', 'not a tag!'])('cannot be named %s', async (reference) => {
    const answer = await app.ask(
      'DELETE',
      `/v2/local/x/manifests/${encodeURIComponent(reference)}`,
    );
    expect(answer.status).toBe(400);
  });
});

describe('a path of the registry', () => {
  it.each([
    ['PATCH', '/v2/local/app/manifests/v1', 'GET, HEAD, PUT, DELETE'],
    ['OPTIONS', '/v2/local/app/manifests/v1', 'GET, HEAD, PUT, DELETE'],
    ['POST', '/v2/local/app/tags/list', 'GET, HEAD'],
    ['DELETE', `/v2/local/app/referrers/${digestOf(Buffer.from(''))}`, 'GET, HEAD'],
    ['PUT', '/v2/_catalog', 'GET, HEAD'],
    ['POST', '/v2/', 'GET, HEAD'],
  ])('says which methods it takes instead of %s %s', async (method, path, allow) => {
    const answer = await app.ask(method, path);
    expect([answer.status, codeOf(answer)]).toEqual([405, 'UNSUPPORTED']);
    expect(answer.headers.get('allow')).toBe(allow);
  });
});

describe('the rules of hosted repositories', () => {
  it('keep an immutable tag on what it names, until the rule is lifted', async () => {
    const rules = [{ repositories: ['local/fixed'], tags: ['v*'], immutable: true }];
    await app.configure({ rules });
    const name = 'local/fixed';
    const [one, two] = [seededImage([10], 1), seededImage([10], 2)];
    await app.placeParts(name, one);
    await app.placeParts(name, two);
    expect((await app.put(name, 'v1', one.manifest)).status).toBe(201);
    expect((await app.put(name, 'v1', one.manifest)).status).toBe(201);
    const both = `${two.manifest.digest}?tag=next&tag=v1`;
    for (const refused of [
      await app.put(name, 'v1', two.manifest),
      await app.put(name, both, two.manifest),
      await app.ask('DELETE', `/v2/${name}/manifests/v1`),
      await app.ask('DELETE', `/v2/${name}/manifests/${one.manifest.digest}`),
    ]) {
      expect([refused.status, codeOf(refused)]).toEqual([403, 'DENIED']);
      expect(messageOf(refused)).toMatch(/v1 is immutable here/);
    }
    expect((await app.get(`/v2/${name}/manifests/next`)).status).toBe(404);
    expect((await app.put(name, 'latest', one.manifest)).status).toBe(201);
    expect((await app.put(name, 'latest', two.manifest)).status).toBe(201);
    await app.configure({});
    expect((await app.put(name, 'v1', two.manifest)).status).toBe(201);
  });

  it('never hold the tags under which signatures are collected', async () => {
    await app.configure({ rules: [{ immutable: true }] });
    const name = fresh();
    const subject = 'a'.repeat(64);
    const [one, two] = [seededImage([10], 1), seededImage([10], 2)];
    await app.placeParts(name, one);
    await app.placeParts(name, two);
    for (const tag of [`sha256-${subject}`, `sha256-${subject}.sig`, `sha256-${subject}.att`]) {
      expect((await app.put(name, tag, one.manifest)).status).toBe(201);
      expect((await app.put(name, tag, two.manifest)).status).toBe(201);
    }
    expect((await app.put(name, `sha256-${subject}.txt`, one.manifest)).status).toBe(201);
    expect((await app.put(name, `sha256-${subject}.txt`, two.manifest)).status).toBe(403);
    await app.configure({});
  });

  it('switch deletes off', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await app.placeParts(name, image);
    await app.put(name, 'v1', image.manifest);
    await app.configure({ delete: false });
    for (const reference of ['v1', image.manifest.digest, 'nope']) {
      const answer = await app.ask('DELETE', `/v2/${name}/manifests/${reference}`);
      expect([answer.status, codeOf(answer)]).toEqual([405, 'UNSUPPORTED']);
      expect(answer.headers.get('allow')).toBe('GET, HEAD, PUT');
    }
    await app.configure({});
    expect((await app.ask('DELETE', `/v2/${name}/manifests/v1`)).status).toBe(202);
  });
});

describe('the lists of what is hosted', () => {
  it('give tags in ASCII order, page by page, and none for n=0', async () => {
    const name = fresh();
    const image = seededImage([10], 1);
    await app.placeParts(name, image);
    const tags = ['b', 'a', 'B', '10', '2', '_x'];
    await app.put(
      name,
      `${image.manifest.digest}?${tags.map((tag) => `tag=${tag}`).join('&')}`,
      image.manifest,
    );
    const list = async (query: string): Promise<[string[], string | null]> => {
      const { body, headers } = await app.get(`/v2/${name}/tags/list${query}`);
      return [(JSON.parse(body.toString()) as { tags: string[] }).tags, headers.get('link')];
    };
    expect(await list('')).toEqual([['10', '2', 'B', '_x', 'a', 'b'], null]);
    expect(await list('?n=4')).toEqual([
      ['10', '2', 'B', '_x'],
      `</v2/${name}/tags/list?n=4&last=_x>; rel="next"`,
    ]);
    expect(await list('?n=4&last=_x')).toEqual([['a', 'b'], null]);
    expect(await list('?last=B')).toEqual([['_x', 'a', 'b'], null]);
    expect(await list('?n=0')).toEqual([[], null]);
  });

  it('name hosted repositories beside cached ones, each as it is pulled', async () => {
    const image = seededImage([10], 1);
    for (const name of ['solo', 'local/listed']) await app.placeParts(name, image);
    const { catalog } = app.scaffold;
    const member = { digest: image.manifest.digest, mediaType: 'a/b' };
    for (const key of ['docker.io/library/whale', 'docker.io/local/listed', 'ghcr.io/org/app']) {
      await catalog.link(key as never, 'manifests', [member]);
    }
    await app.restart();
    const { body } = await app.get('/v2/_catalog');
    const { repositories } = JSON.parse(body.toString()) as { repositories: string[] };
    expect(repositories.filter((each) => !/^local\/(test-|elsewhere|fixed)/.test(each))).toEqual([
      'docker.io/local/listed',
      'ghcr.io/org/app',
      'library/whale',
      'local/listed',
      'solo',
    ]);
    const page = await app.get('/v2/_catalog?n=1&last=library/whale');
    expect(page.body.toString()).toMatch(/local\//);
    expect(page.headers.get('link')).toMatch(/^<\/v2\/_catalog\?n=1&last=local%2F.*>; rel="next"$/);
    const only = await app.get('/v2/_catalog?ns=docker.io');
    expect(only.body.toString()).toBe('{"repositories":["library/whale","local/listed"]}');
  });
});
