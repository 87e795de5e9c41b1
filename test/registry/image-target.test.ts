import { describe, expect, it } from '@jest/globals';
import { digestOf } from '../../src/oci/digest.ts';
import { parseImageTarget } from '../../src/registry/image-target.ts';

const digest = digestOf(Buffer.from('a'));
const names = {
  upstreams: new Map([
    ['docker.io', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['ghcr.io', 'ghcr.io'],
    ['registry.local:5000', 'registry.local:5000'],
  ]),
  defaultUpstream: 'docker.io',
};
const parse = (text: string, using: typeof names | { defaultUpstream: undefined } = names) =>
  parseImageTarget(text, { ...names, ...using }, (name) => name === 'gone.example/app');

describe('what is to be purged', () => {
  it.each([
    [digest, { kind: 'digest', digest }],
    ['nginx', { kind: 'repository', repository: 'docker.io/library/nginx' }],
    ['nginx:1.25', { kind: 'tag', repository: 'docker.io/library/nginx', tag: '1.25' }],
    ['docker.io/nginx', { kind: 'repository', repository: 'docker.io/library/nginx' }],
    ['docker.io/library/nginx:1', { kind: 'tag', repository: 'docker.io/library/nginx', tag: '1' }],
    ['index.docker.io/me/app', { kind: 'repository', repository: 'docker.io/me/app' }],
    ['me/app:v1', { kind: 'tag', repository: 'docker.io/me/app', tag: 'v1' }],
    ['ghcr.io/org/app', { kind: 'repository', repository: 'ghcr.io/org/app' }],
    ['ghcr.io/app:a', { kind: 'tag', repository: 'ghcr.io/app', tag: 'a' }],
    ['registry.local:5000/a', { kind: 'repository', repository: 'registry.local:5000/a' }],
    ['registry.local:5000/a:5', { kind: 'tag', repository: 'registry.local:5000/a', tag: '5' }],
    [`ghcr.io/a@${digest}`, { kind: 'manifest', repository: 'ghcr.io/a', digest }],
    [`ghcr.io/a:v1@${digest}`, { kind: 'manifest', repository: 'ghcr.io/a', digest }],
    ['gone.example/app', { kind: 'repository', repository: 'gone.example/app' }],
    ['gone.example/app:v1', { kind: 'tag', repository: 'gone.example/app', tag: 'v1' }],
  ])('is understood: %s', (text, target) => {
    expect(parse(text)).toEqual(target);
  });

  it.each([
    ['', 'NAME_INVALID'],
    [':v1', 'NAME_INVALID'],
    ['Nginx', 'NAME_INVALID'],
    ['../../etc', 'NAME_INVALID'],
    ['ghcr.io/', 'NAME_INVALID'],
    ['nginx:', 'TAG_INVALID'],
    ['nginx:a b', 'TAG_INVALID'],
    ['nginx@sha256:short', 'DIGEST_INVALID'],
    [`@${digest}`, 'NAME_INVALID'],
  ])('is refused: %j', (text, code) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code }));
  });

  it('needs an upstream where there is no default', () => {
    const none = { defaultUpstream: undefined };
    expect(parse('ghcr.io/a', none)).toMatchObject({ repository: 'ghcr.io/a' });
    expect(() => parse('nginx', none)).toThrow(expect.objectContaining({ code: 'NAME_UNKNOWN' }));
  });
});
