import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { planKeys, type AgingKey } from '../../src/access/key-plan.ts';
import { SigningKeys } from '../../src/access/signing-keys.ts';

const times = { signs: 100, outlives: 50 };

describe('the plan for signing keys', () => {
  it.each<[string, number[], number, string | undefined, boolean, string[]]>([
    ['none yet', [], 0, undefined, true, []],
    ['a fresh one', [0], 99, 'k0', false, []],
    ['an old one signs until there is another', [0], 1_000, 'k0', true, []],
    ['the newest signs', [0, 100], 149, 'k100', false, []],
    ['one that was followed dies after the last token', [0, 100], 150, 'k100', false, ['k0']],
    [
      'of many only those die that were followed long ago',
      [0, 100, 200],
      249,
      'k200',
      false,
      ['k0'],
    ],
    ['a clock that went back makes no other one', [500], 100, 'k500', false, []],
  ])('%s', (_what, created, now, signing, isDue, expired) => {
    const keys: AgingKey[] = created.map((time) => ({ kid: `k${time}`, created: time }));
    const plan = planKeys(keys, times, now);
    expect(plan.signing?.kid).toBe(signing);
    expect(plan.isDue).toBe(isDue);
    expect(plan.expired.map(({ kid }) => kid)).toEqual(expired);
  });
});

describe('signing keys', () => {
  let parent: string;
  let folder: string;
  let failures: unknown[];
  const opened: SigningKeys[] = [];
  const clock = { now: 1_000 };

  const open = async (): Promise<SigningKeys> => {
    const keys = await SigningKeys.open({
      folder,
      times,
      observer: { keysFailed: (error) => void failures.push(error) },
      now: () => clock.now,
    });
    opened.push(keys);
    return keys;
  };

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'baleen-keys-'));
    folder = join(parent, 'keys');
    failures = [];
    clock.now = 1_000;
  });
  afterEach(() => {
    for (const keys of opened.splice(0)) keys.close();
    rmSync(parent, { recursive: true });
  });

  it('are made at the first start, for nobody else’s eyes, and found at the next', async () => {
    const first = await open();
    const [name = ''] = readdirSync(folder);
    expect(name).toBe(`${first.signing.kid}.json`);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    const second = await open();
    expect(second.signing.kid).toBe(first.signing.kid);
  });

  it('are renewed in time, and outlive their tokens', async () => {
    const keys = await open();
    const old = keys.signing.kid;
    clock.now += 100;
    await keys.maintain();
    expect(keys.signing.kid).not.toBe(old);
    expect((await keys.find(old))?.kid).toBe(old);
    clock.now += 49;
    await keys.maintain();
    expect((await keys.find(old))?.kid).toBe(old);
    clock.now += 1;
    await keys.maintain();
    expect(await keys.find(old)).toBeUndefined();
    expect(readdirSync(folder)).toEqual([`${keys.signing.kid}.json`]);
    expect(failures).toEqual([]);
  });

  it('are shared by all who use the folder', async () => {
    const one = await open();
    const other = await open();
    clock.now += 100;
    await one.maintain();
    await other.maintain();
    expect(other.signing.kid).toBe(one.signing.kid);
  });

  it('go on as they are where the folder is away, or a file in it is broken', async () => {
    const keys = await open();
    const { kid } = keys.signing;
    writeFileSync(join(folder, `${'x'.repeat(43)}.json`), '{"created":"2026-01-01T00:00:00Z"}');
    writeFileSync(join(folder, 'notes.txt'), 'not a key');
    await keys.maintain();
    expect(failures).toHaveLength(1);
    rmSync(folder, { recursive: true });
    clock.now += 1;
    await keys.maintain();
    expect(keys.signing.kid).toBe(kid);
    expect((await keys.find(kid))?.kid).toBe(kid);
  });

  it('are not taken from a file that has another key’s name', async () => {
    const keys = await open();
    const name = 'A'.repeat(43);
    writeFileSync(
      join(folder, `${name}.json`),
      readFileSync(join(folder, `${keys.signing.kid}.json`)),
    );
    await keys.maintain();
    expect(await keys.find(name)).toBeUndefined();
    expect(failures).toHaveLength(1);
  });
});
