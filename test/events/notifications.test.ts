import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ContentEvent, EventAction } from '../../src/events/content-event.ts';
import type { EndpointOptions } from '../../src/events/endpoint.ts';
import { Notifications } from '../../src/events/notifications.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

let directory: TempDir;
let receiver: WebhookReceiver;
let notifications: Notifications;
let told: string[];
let counted: Record<string, number>;
const opened: AsyncDisposable[] = [];

beforeEach(async () => {
  directory = tempDir('events');
  receiver = await WebhookReceiver.start();
  opened.push(receiver, directory);
  told = [];
  counted = {};
  notifications = create();
});

afterEach(async () => {
  await notifications.close();
  for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
});

function create(): Notifications {
  const count = (name: string, by: number) => (counted[name] = (counted[name] ?? 0) + by);
  return new Notifications({
    folder: join(directory.path, 'events'),
    tmpDir: join(directory.path, 'tmp'),
    source: () => ({ addr: 'cache:5000', instanceID: 'one' }),
    observer: {
      delivered: (endpoint, by) => void count(`${endpoint} delivered`, by),
      failed: (endpoint, reason) => void told.push(`${endpoint} failed: ${reason}`),
      recovered: (endpoint, failures) => void told.push(`${endpoint} recovered after ${failures}`),
      dropped: (endpoint, by, reason) => void count(`${endpoint} ${reason}`, by),
    },
  });
}

const all: readonly EventAction[] = ['push', 'pull', 'delete', 'cache', 'hold'];

function endpoint(more: Partial<EndpointOptions> = {}): EndpointOptions {
  return {
    name: 'scanner',
    url: receiver.url,
    headers: {},
    headerFiles: {},
    timeout: 5_000,
    trust: undefined,
    userAgent: 'baleen/test',
    filter: { actions: new Set(all), matches: () => true, blobs: false },
    batch: 50,
    queueSize: 1024 * 1024,
    backoff: { first: 5, longest: 20 },
    ...more,
  };
}

const digest = digestOf(Buffer.from('whale'));

function event(tag: string, more: Partial<ContentEvent> = {}): ContentEvent {
  return {
    action: 'push',
    kind: 'manifest',
    at: Date.UTC(2026, 0, 2, 3, 4, 5),
    repository: 'local/whale',
    digest,
    tag,
    ...more,
  };
}

const tagsOf = (events: WebhookReceiver['events']) => events.map(({ target }) => target.tag);
const numbers = (n: number) => Array.from({ length: n }, (_, index) => String(index));

const status = () => notifications.status()[0]!;
const settled = async () =>
  waitFor('the queue to be empty', () => status().queued === 0 && status().failures === 0);

describe('an event', () => {
  it('goes out as CNCF distribution writes it', async () => {
    notifications.configure([endpoint({ headers: { 'X-Team': 'deep sea' } })]);
    const reference = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 };
    await notifications.record(
      event('v1', {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        size: 7,
        references: () => [reference],
        url: 'http://cache:5000/v2/local/whale/manifests/v1',
        account: 'alice',
        request: {
          id: 'abc-1',
          addr: '10.0.0.7',
          host: 'cache:5000',
          method: 'PUT',
          useragent: 'docker/29',
        },
      }),
    );
    await waitFor('the post', () => receiver.posts.length === 1);
    const [post] = receiver.posts;
    expect(post).toMatchObject({
      path: '/events',
      headers: {
        'content-type': 'application/vnd.docker.distribution.events.v2+json',
        'user-agent': 'baleen/test',
        'x-team': 'deep sea',
      },
    });
    expect(post?.events).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        timestamp: '2026-01-02T03:04:05.000Z',
        action: 'push',
        target: {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          size: 7,
          length: 7,
          digest,
          repository: 'local/whale',
          url: 'http://cache:5000/v2/local/whale/manifests/v1',
          tag: 'v1',
          references: [reference],
        },
        request: {
          id: 'abc-1',
          addr: '10.0.0.7',
          host: 'cache:5000',
          method: 'PUT',
          useragent: 'docker/29',
        },
        actor: { name: 'alice' },
        source: { addr: 'cache:5000', instanceID: 'one' },
      },
    ]);
  });

  it.each([
    ['another action', { action: 'pull' }, { actions: new Set(['push' as const]) }],
    ['another repository', {}, { matches: (name: string) => name.startsWith('docker.io/') }],
    ['a layer', { kind: 'blob' }, {}],
  ] as const)('is kept from who does not want it: %s', async (_what, differs, filter) => {
    notifications.configure([
      endpoint({ filter: { ...endpoint().filter, ...filter } }),
      endpoint({
        name: 'archive',
        url: `${receiver.url}/all`,
        filter: { ...endpoint().filter, blobs: true },
      }),
    ]);
    await notifications.record(event('v1', differs));
    await waitFor('the other endpoint’s post', () => receiver.posts.length === 1);
    expect(receiver.posts[0]?.path).toBe('/events/all');
    expect(notifications.status()).toMatchObject([{ queued: 0, delivered: 0 }, {}]);
  });

  it('of a mount goes to who wants pushes of layers', () => {
    const filter = { actions: new Set<EventAction>(['push']), matches: () => true, blobs: true };
    notifications.configure([endpoint({ filter })]);
    expect(notifications.wants({ action: 'mount', kind: 'blob', repository: 'a' })).toBe(true);
  });

  it('that must not be lost is on disk when it has been recorded', async () => {
    receiver.gate = new Promise(() => undefined);
    notifications.configure([endpoint()]);
    await notifications.record(event('v1'));
    const folder = join(directory.path, 'events', 'scanner');
    const [segment] = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
    expect(await readFile(join(folder, segment!), 'utf8')).toContain('"tag":"v1"');
  });
});

describe('delivery', () => {
  it('keeps the order, in batches of the size that was asked for', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    receiver.gate = promise;
    notifications.configure([endpoint({ batch: 10 })]);
    await Promise.all(numbers(95).map((tag) => notifications.record(event(tag))));
    resolve();
    await settled();
    expect(tagsOf(receiver.events)).toEqual(numbers(95));
    expect(Math.max(...receiver.posts.map(({ events }) => events.length))).toBe(10);
    expect(counted['scanner delivered']).toBe(95);
    expect(new Set(receiver.events.map(({ id }) => id)).size).toBe(95);
  });

  it.each([[500], [503], [404], [401], [301], [429], [0]])(
    'is tried again after %d, and loses and reorders nothing',
    async (fault) => {
      receiver.faults.push(fault, fault, fault);
      notifications.configure([endpoint({ batch: 2 })]);
      for (const tag of numbers(5)) await notifications.record(event(tag));
      await settled();
      expect(tagsOf(receiver.events)).toEqual(numbers(5));
      expect(told.filter((line) => line.startsWith('scanner failed'))).toHaveLength(3);
      expect(told.at(-1)).toBe('scanner recovered after 3');
    },
  );

  it('repeats an event under the id that it had', async () => {
    receiver.faults.push(500);
    notifications.configure([endpoint()]);
    await notifications.record(event('v1'));
    await settled();
    const [first, second] = receiver.posts;
    expect(first?.events).toEqual(second?.events);
  });

  it('follows no redirect', async () => {
    const elsewhere = await WebhookReceiver.start();
    opened.push(elsewhere);
    receiver.headers = { location: elsewhere.url };
    receiver.faults.push(307, 308);
    notifications.configure([endpoint()]);
    await notifications.record(event('v1'));
    await settled();
    expect(elsewhere.posts).toEqual([]);
    expect(told[0]).toBe('scanner failed: it answered 307: redirects are not followed');
  });

  it('waits out a receiver that is down, and one that never answers', async () => {
    await receiver.stop();
    notifications.configure([endpoint({ timeout: 300 })]);
    await notifications.record(event('v1'));
    await waitFor('a failure', () => told.some((line) => line.includes('ECONNREFUSED')));
    const { promise, resolve } = Promise.withResolvers<void>();
    receiver.gate = promise;
    await receiver.listen();
    await waitFor('a timeout', () => told.some((line) => line.includes('did not answer in time')));
    expect(status()).toMatchObject({ queued: 1, delivered: 0, lastFailure: expect.any(String) });
    resolve();
    await settled();
    expect(new Set(tagsOf(receiver.events))).toEqual(new Set(['v1']));
  });

  it('lets go of the one event that the receiver will never take, and of no other', async () => {
    receiver.judge = (events) =>
      events.some(({ target }) => target.tag === '3') ? 400 : undefined;
    notifications.configure([endpoint({ batch: 10 })]);
    await Promise.all(numbers(6).map((tag) => notifications.record(event(tag))));
    await settled();
    expect(tagsOf(receiver.events)).toEqual(['0', '1', '2', '4', '5']);
    expect(counted['scanner refused']).toBe(1);
  });

  it('to one endpoint does not wait for another', async () => {
    const dead = await WebhookReceiver.start();
    opened.push(dead);
    dead.gate = new Promise(() => undefined);
    notifications.configure([endpoint(), endpoint({ name: 'dead', url: dead.url })]);
    for (const tag of numbers(20)) await notifications.record(event(tag));
    await waitFor('all events', () => receiver.events.length === 20);
    expect(notifications.status()[1]).toMatchObject({ name: 'dead', queued: 20 });
  });

  it('holds no more than its room for an endpoint that is dead, and then goes on with the newest', async () => {
    receiver.gate = new Promise(() => undefined);
    notifications.configure([endpoint({ queueSize: 64 * 1024, timeout: 200 })]);
    for (const tag of numbers(400)) await notifications.record(event(tag));
    expect(status().bytes).toBeLessThanOrEqual(64 * 1024);
    expect(counted['scanner full']).toBeGreaterThan(100);
    receiver.gate = Promise.resolve();
    await settled();
    const tags = tagsOf(receiver.events);
    expect(tags.slice(-100)).toEqual(numbers(400).slice(-100));
  });

  it('goes on after a restart where it was', async () => {
    receiver.faults.push(...numbers(1000).map(() => 503));
    notifications.configure([endpoint({ batch: 3 })]);
    for (const tag of numbers(7)) await notifications.record(event(tag));
    notifications.tell(event('last'));
    await waitFor('a try', () => receiver.posts.length > 0);
    await notifications.close();
    receiver.faults.length = 0;
    notifications = create();
    notifications.configure([endpoint({ batch: 3 })]);
    await waitFor('the rest', () => receiver.events.length === 8);
    expect(tagsOf(receiver.events)).toEqual([...numbers(7), 'last']);
  });

  it('tells how old the oldest event is that waits', async () => {
    receiver.gate = new Promise(() => undefined);
    notifications.configure([endpoint()]);
    await notifications.record(event('v1', { at: 1_700_000_000_000 }));
    await waitFor('the oldest', () => status().oldest === 1_700_000_000_000);
  });

  it('loses events, and fails nobody, where the disk refuses', async () => {
    await mkdir(join(directory.path, 'events'));
    await writeFile(join(directory.path, 'events', 'scanner'), 'no folder');
    notifications.configure([endpoint()]);
    await notifications.record(event('lost'));
    expect(counted['scanner disk']).toBe(1);
    await rm(join(directory.path, 'events', 'scanner'));
    await notifications.record(event('v2'));
    await waitFor('what came after', () => receiver.events.length === 1);
    expect(tagsOf(receiver.events)).toEqual(['v2']);
  });
});

describe('headers', () => {
  it('out of files are read for each request', async () => {
    const file = join(directory.path, 'token');
    await writeFile(file, 'Bearer one\n');
    notifications.configure([endpoint({ headerFiles: { Authorization: file } })]);
    await notifications.record(event('v1'));
    await settled();
    await writeFile(file, 'Bearer two');
    await notifications.record(event('v2'));
    await waitFor('both', () => receiver.posts.length === 2);
    const sent = receiver.posts.map(({ headers }) => headers.authorization);
    expect(sent).toEqual(['Bearer one', 'Bearer two']);
  });

  it.each([
    ['is missing', undefined, /ENOENT/],
    ['holds more than one line', 'a\nhunter2: b\n', /more than one line/],
  ])('whose file %s are a failure that quotes none of it', async (_what, text, reason) => {
    const file = join(directory.path, 'token');
    if (text !== undefined) await writeFile(file, text);
    notifications.configure([endpoint({ headerFiles: { Authorization: file } })]);
    await notifications.record(event('v1'));
    await waitFor('a failure', () => told.length > 0);
    expect(told[0]).toMatch(reason);
    expect(told.join()).not.toContain('hunter2');
    await writeFile(file, 'good');
    await settled();
    expect(receiver.events).toHaveLength(1);
  });
});

describe('a reload', () => {
  it('sends what waits to another address at once, however long the wait was', async () => {
    await receiver.stop();
    notifications.configure([endpoint({ backoff: { first: 3_600_000, longest: 3_600_000 } })]);
    await notifications.record(event('v1'));
    await waitFor('a failure', () => told.length > 0);
    const other = await WebhookReceiver.start();
    opened.push(other);
    notifications.configure([endpoint({ url: other.url })]);
    await waitFor('the event', () => other.events.length === 1);
  });

  it('keeps the queue of an endpoint that goes, for when it comes back', async () => {
    await receiver.stop();
    notifications.configure([endpoint()]);
    await notifications.record(event('v1'));
    notifications.configure([]);
    await notifications.record(event('unheard'));
    notifications.configure([endpoint()]);
    await receiver.listen();
    await waitFor('the event', () => receiver.events.length > 0);
    await settled();
    expect(tagsOf(receiver.events)).toEqual(['v1']);
  });
});
