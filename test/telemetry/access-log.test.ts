import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  createAccessLog,
  jsonAccessLine,
  prettyAccessLine,
  type AccessEntry,
} from '../../src/telemetry/access-log.ts';
import { formatLine } from '../../src/telemetry/line-format.ts';
import { LineWriter } from '../../src/telemetry/line-writer.ts';

const entry: AccessEntry = {
  id: 'r-1',
  remote: '10.0.0.1',
  method: 'GET',
  path: '/v2/library/alpine/manifests/latest?ns=docker.io',
  route: 'ns',
  upstream: 'docker.io',
  repository: 'library/alpine',
  reference: 'latest',
  status: 200,
  outcome: 'hit',
  bytes: 1234,
  durationMs: 0.812_34,
  upstreamMs: 12,
  userAgent: 'docker/27',
};

const time = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

describe('an access line', () => {
  it('has the fields in their order, as the logger would write them', () => {
    const { id, remote, method, path, route, upstream, repository, reference, status } = entry;
    const head = { id, remote, method, path, route, upstream, repository, reference, status };
    const tail = {
      outcome: 'hit',
      bytes: 1234,
      duration_ms: 0.812,
      upstream_ms: 12,
      user_agent: 'docker/27',
    };
    const record = {
      time,
      level: 'info',
      message: 'request',
      fields: { ...head, ...tail },
    } as const;
    expect(jsonAccessLine(entry, time)).toBe(formatLine(record, 'json', false));
  });

  it('names the account, and what it was refused', () => {
    const refused = {
      ...entry,
      account: 'alice\n"',
      status: 403,
      error: 'DENIED',
      refused: 'push',
    };
    const line: unknown = JSON.parse(jsonAccessLine(refused, time));
    expect(line).toMatchObject({ account: 'alice\n"', error: 'DENIED', refused: 'push' });
    expect(prettyAccessLine({ ...refused, account: 'alice' }, time, false)).toMatch(
      / 10\.0\.0\.1 alice$/,
    );
    expect(prettyAccessLine(refused, time, false)).not.toContain('\n');
  });

  it('leaves out what is not known', () => {
    const ping = {
      id: 'x',
      remote: undefined,
      method: 'GET',
      path: '/v2/',
      status: 200,
      bytes: 2,
      durationMs: 1,
    };
    expect(jsonAccessLine(ping, time)).toBe(
      '{"ts":"2026-01-02T03:04:05.006Z","level":"info","msg":"request","id":"x","method":"GET","path":"/v2/","status":200,"bytes":2,"duration_ms":1}',
    );
  });

  it('is short for people', () => {
    expect(prettyAccessLine(entry, time, false)).toBe(
      '03:04:05.006 INFO  GET /v2/library/alpine/manifests/latest?ns=docker.io 200 hit 1.21 KiB 0.812ms docker.io 10.0.0.1',
    );
    expect(
      prettyAccessLine(
        { ...entry, status: 503, outcome: undefined, error: 'UNAVAILABLE', aborted: true },
        time,
        false,
      ),
    ).toContain(' 503 UNAVAILABLE ');
  });

  it('shows no secret of a query', () => {
    const path = '/v2/?access_token=hunter2&ns=docker.io';
    for (const line of [
      jsonAccessLine({ ...entry, path }, time),
      prettyAccessLine({ ...entry, path }, time, true),
    ]) {
      expect(line).not.toContain('hunter2');
      expect(line).toContain('ns=docker.io');
    }
  });

  it('cannot be forged or broken by what a client sends', () => {
    const text = fc.string({ unit: 'binary', maxLength: 3000 });
    fc.assert(
      fc.property(text, text, text, (path, userAgent, reference) => {
        const given = { ...entry, path, userAgent, reference };
        const json = jsonAccessLine(given, time);
        expect(json).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(Object.keys(JSON.parse(json) as object).slice(0, 3)).toEqual(['ts', 'level', 'msg']);
        expect(JSON.parse(json)).toMatchObject({
          status: 200,
          level: 'info',
          msg: 'request',
          bytes: 1234,
        });
        expect(prettyAccessLine(given, time, false)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it('goes through the shared writer', () => {
    const stream = new PassThrough({ encoding: 'utf8' });
    const writer = new LineWriter(stream, { dropped: String });
    createAccessLog({ format: 'json', colour: false, writer }).write(entry);
    writer.writeNow('after');
    const [line, after] = (stream.read() as string).split('\n');
    expect(JSON.parse(line ?? '')).toMatchObject({ msg: 'request', id: 'r-1' });
    expect(after).toBe('after');
  });
});
