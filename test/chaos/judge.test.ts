import { describe, expect, it } from '@jest/globals';
import type { Outcome } from './client.ts';
import type { Condition } from './conditions.ts';
import { judge } from './judge.ts';

const good: Outcome = {
  ask: { method: 'GET', path: '/v2/x/blobs/a' },
  began: 0,
  ended: 1,
  status: 200,
  headers: {},
  complete: true,
  aborted: false,
  hung: false,
  received: 3,
  digest: 'a',
  head: Buffer.from('abc'),
};
const body = (text: string): Partial<Outcome> => ({ head: Buffer.from(text) });
const error = body('{"errors":[{"code":"UPSTREAM_UNAVAILABLE","message":""}]}');
const soon = { headers: { 'retry-after': '1' } };

describe('the judgement of an answer', () => {
  it.each<[string, Partial<Outcome>, Condition[]]>([
    ['right bytes', {}, []],
    ['a part of them', { status: 206, digest: 'part' }, []],
    ['bytes that broke off', { digest: 'b', complete: false }, []],
    ['an abort by the client', { status: 0, aborted: true }, []],
    ['none while Baleen is down', { status: 0 }, ['down']],
    ['an honest failure', { status: 503, ...error, ...soon }, []],
    ['404 while a token server denies', { status: 404, ...error }, ['denied']],
    ['500 while the disk is full', { status: 500, ...error }, ['disk']],
  ])('lets pass: %s', (_, changes, held) => {
    const outcome = { ...good, ...changes };
    const expected = { digests: new Set(['a']), size: 3, part: 'part' };
    expect(judge(outcome, expected, (each) => held.includes(each))).toBeUndefined();
  });

  it.each<[string, Partial<Outcome>, string]>([
    ['wrong bytes', { digest: 'b' }, 'sent b'],
    ['a wrong part', { status: 206, digest: 'a' }, 'wrong part'],
    ['a wrong digest in a header', { headers: { 'docker-content-digest': 'b' } }, 'digest b'],
    ['no end', { hung: true, complete: false }, 'did not end'],
    ['no answer', { status: 0 }, 'no answer'],
    ['404', { status: 404, ...error }, '404'],
    ['500', { status: 500, ...error }, '500'],
    ['a failure that does not say when to come back', { status: 503, ...error }, 'Retry-After'],
    ['a failure in HTML', { status: 502, ...body('<html>') }, 'html'],
    ['a failure without a code', { status: 502, ...body('{"errors":[{}]}') }, 'without a code'],
  ])('finds fault with: %s', (_, changes, found) => {
    const outcome = { ...good, ...changes };
    const expected = { digests: new Set(['a']), size: 3, part: 'part' };
    expect(judge(outcome, expected, () => false)).toContain(found);
  });
});
