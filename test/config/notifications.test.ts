import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { Config } from '../../src/config/config.ts';
import { ConfigError, formatFault } from '../../src/config/config-error.ts';
import { loadConfig } from '../../src/config/load.ts';
import { tempDir } from '../support/temp-dir.ts';

const folder = tempDir('notifications');
const file = join(folder.path, 'config.yaml');
afterAll(async () => folder[Symbol.asyncDispose]());

function load(text: string): Config {
  writeFileSync(file, text);
  return loadConfig({ file, env: {} });
}

function faults(text: string): string[] {
  try {
    load(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((fault) => formatFault(fault).replace(`${file}:`, ''));
  }
}

describe('notifications in the configuration', () => {
  it('need nothing but a URL', () => {
    const { endpoints } = load(
      'notifications: { endpoints: { a: { url: "http://h/x/" } } }',
    ).notifications;
    expect(endpoints).toEqual({
      a: {
        // As it was written: a slash at its end belongs to it.
        url: 'http://h/x/',
        headers: {},
        header_files: {},
        events: ['push', 'delete', 'cache', 'hold'],
        repositories: ['**'],
        blobs: false,
        timeout: 10_000,
        batch: 50,
        queue_size: 64 * 1024 * 1024,
      },
    });
  });

  it('may have a token in the query, and headers out of files', () => {
    const { endpoints } = load(`
notifications:
  endpoints:
    a: { url: "https://h/?token=x", headers: { X-A: b }, header_files: { X-B: ${file} } }
`).notifications;
    expect(endpoints['a']).toMatchObject({
      url: 'https://h/?token=x',
      headers: { 'X-A': 'b' },
      header_files: { 'X-B': file },
    });
  });

  it('are refused with every fault at its place, and no secret in it', () => {
    const found = faults(`
notifications:
  endpoints:
    a: { url: "https://me:hunter2@h/" }
    b: { url: "ftp://h/#hunter2", events: [push, pulls], batch: 0, queue_size: 1KiB }
    c: { url: "https://h/", headers: { "X A": hunter2, Content-Type: hunter2, X-B: "hunter2\\n" } }
    d: { url: "https://h/", headers: { x-a: hunter2 }, header_files: { X-A: ${file} } }
    e: { url: "https://h/", repositories: ["!local/**", "library/*"], timeout: 0s }
    "../f": { url: "https://h/" }
    g: {}
`);
    expect(found).toEqual([
      '4:10 notifications.endpoints.a.url: the URL must not hold credentials; use headers or header_files',
      '5:10 notifications.endpoints.b.url: expected a URL that starts with https:// or http://',
      '5:50 notifications.endpoints.b.events[1]: expected one of push, pull, delete, cache, hold',
      '5:58 notifications.endpoints.b.batch: expected a whole number from 1 to 1000',
      '5:68 notifications.endpoints.b.queue_size: must be at least 64KiB',
      '6:40 notifications.endpoints.c.headers.X A: this is no name of a header',
      '6:56 notifications.endpoints.c.headers.Content-Type: this header is not for you to set',
      '6:79 notifications.endpoints.c.headers.X-B: must be one line',
      '7:72 notifications.endpoints.d.header_files.X-A: the same header stands under headers',
      '8:44 notifications.endpoints.e.repositories[0]: nothing can be excluded here: name what is meant',
      '8:57 notifications.endpoints.e.repositories[1]: fits nothing: in rules these are docker.io/library/…',
      '8:71 notifications.endpoints.e.timeout: must be from 1ms to 1d',
      '9:5 notifications.endpoints.../f: an endpoint is named in lower-case letters, digits, "-" and "_"',
      '10:5 notifications.endpoints.g.url: expected a URL',
    ]);
  });
});

describe('what is held back, in the configuration', () => {
  it('is nothing unless repositories are named', () => {
    expect(load('').hold).toEqual({
      repositories: [],
      on_unknown: 'deny',
      message: 'this image is held back until it is scanned',
      except: { accounts: [] },
    });
  });

  it('is refused where it could not work', () => {
    expect(
      faults(`
operations: { listen: off }
hold:
  repositories: ["library/*", "!a/**"]
  on_unknown: perhaps
  except: { accounts: [scanner] }
`),
    ).toEqual([
      '4:3 hold.repositories: needs operations.listen: verdicts are posted there',
      '4:18 hold.repositories[0]: fits nothing: in rules these are docker.io/library/…',
      '4:31 hold.repositories[1]: nothing can be excluded here: name what is meant',
      '5:3 hold.on_unknown: expected deny or allow',
      '6:13 hold.except.accounts: means nothing without auth: there are no accounts',
    ]);
    const accounts = `auth: { htpasswd: ${file} }\nhold: { repositories: ["a/**"], except: { accounts: [s] } }`;
    expect(faults(accounts)).toEqual([]);
  });
});
