import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../src/config/load.ts';
import { collectionPolicy } from '../../src/service/hosted-collection.ts';
import { dueIn } from '../../src/service/hosted-upkeep.ts';
import type { Tag } from '../../src/oci/reference.ts';
import { hosted } from '../support/hosted-directory.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const now = 1_000 * day;

describe('the next collection', () => {
  const times = {
    interval: day,
    startedAt: now - 30 * day,
    endedAt: undefined,
    attemptedAt: undefined,
    now,
  };
  it.each([
    ['is never due where it is off', { interval: 0 }, Infinity],
    ['is due some minutes after the first start', { startedAt: now }, 5 * minute],
    ['is due sooner where the interval is shorter than that', { startedAt: now, interval: 1 }, 1],
    ['is due an interval after the last', { endedAt: now - hour }, 23 * hour],
    [
      'is due an interval after the last, though that was before a restart',
      { startedAt: now - minute, endedAt: now - hour },
      23 * hour,
    ],
    [
      'is due after the start where that came late',
      { startedAt: now, endedAt: now - 3 * day },
      5 * minute,
    ],
    [
      'is tried again an hour after a failure',
      { endedAt: now - 2 * day, attemptedAt: now - 10 * minute },
      50 * minute,
    ],
    [
      'is tried again after the interval where that is shorter',
      { interval: minute, endedAt: now - 2 * day, attemptedAt: now },
      minute,
    ],
    ['is due also where the clock was set back since the last', { endedAt: now + day }, -29],
  ])('%s', (_name, given, expected) => {
    const due = dueIn({ ...times, ...given });
    if (expected < 0) expect(due).toBeLessThanOrEqual(0);
    else expect(due).toBe(expected);
  });
});

describe('the rules of retention', () => {
  const { hosted: defaults } = loadConfig({ env: {} });
  const policy = collectionPolicy({
    ...defaults,
    gc: { ...defaults.gc, grace: 2 * hour, untagged: 7 * day },
    rules: [
      { repositories: ['local/**'], tags: ['v*'], immutable: true },
      {
        repositories: ['local/ci/*'],
        tags: ['b-*', 'pr-*'],
        immutable: false,
        keep_last: 3,
        keep_for: day,
      },
    ],
  });

  it('are those that cover the repository, by its name as it is pushed', () => {
    expect(policy).toMatchObject({ grace: 2 * hour, untagged: 7 * day });
    const rules = policy.rules(hosted('local/ci/app'));
    expect(rules).toMatchObject([
      { immutable: true, keepLast: undefined, keepFor: undefined },
      { immutable: false, keepLast: 3, keepFor: day },
    ]);
    expect(
      ['v1.2', 'b-7', 'pr-x'].map((tag) => rules.map(({ isAbout }) => isAbout(tag as Tag))),
    ).toEqual([
      [true, false],
      [false, true],
      [false, true],
    ]);
  });

  it('are none where nothing says how many to keep', () => {
    expect(policy.rules(hosted('local/app'))).toEqual([]);
    expect(policy.rules(hosted('other'))).toEqual([]);
  });
});
