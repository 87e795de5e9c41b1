import { describe, expect, it } from '@jest/globals';
import { RegistryError } from '../../src/oci/errors.ts';
import { renderError } from '../../src/telemetry/render-error.ts';

const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:443'), {
  code: 'ECONNREFUSED',
});

describe('a rendered error', () => {
  it('tells code, message and every cause, and no stack where the error was foreseen', () => {
    const error = new RegistryError('UPSTREAM_UNAVAILABLE', 'cannot reach docker.io', {
      cause: new AggregateError([refused, new Error('no route')], 'all addresses failed'),
      detail: { host: 'docker.io', token: 'hunter2' },
    });
    expect(renderError(error, { stack: false })).toEqual({
      code: 'UPSTREAM_UNAVAILABLE',
      message: 'cannot reach docker.io',
      causes: [
        'AggregateError: all addresses failed',
        'ECONNREFUSED: connect ECONNREFUSED 10.0.0.1:443',
        'Error: no route',
      ],
      detail: { host: 'docker.io', token: '[redacted]' },
    });
  });

  it('has a stack where nobody foresaw it, or where it is asked for', () => {
    expect(renderError(new TypeError('oops'), { stack: false }).stack).toContain(
      'render-error.test',
    );
    const wrapped = new RegistryError('UNKNOWN', undefined, { cause: new TypeError('oops') });
    expect(renderError(wrapped, { stack: false }).stack).toContain('TypeError: oops');
    expect(renderError(refused, { stack: false }).stack).toBeUndefined();
    expect(renderError(refused, { stack: true }).stack).toBeDefined();
  });

  it('holds no secret of its messages', () => {
    const cause = new Error('GET https://u:hunter2@h/ failed');
    const error = new Error('sent Authorization: Bearer hunter2hunter2', { cause });
    expect(JSON.stringify(renderError(error, { stack: true }))).not.toContain('hunter2');
  });

  it('ends where causes go round in a circle', () => {
    const [one, other] = [new Error('one'), new Error('other')];
    one.cause = other;
    other.cause = one;
    expect(renderError(one, { stack: false }).causes).toEqual(['Error: other']);
  });

  it.each([
    ['text', 'text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ a: 1 }, '{"a":1}'],
    [5, '5'],
  ])('takes %p for one', (thrown, message) => {
    expect(renderError(thrown, { stack: true })).toEqual({ message });
  });
});
