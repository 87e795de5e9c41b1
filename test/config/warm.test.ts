import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { Config } from '../../src/config/config.ts';
import { ConfigError, formatFault } from '../../src/config/config-error.ts';
import { loadConfig } from '../../src/config/load.ts';
import { printConfig } from '../../src/config/redact.ts';
import { tempDir } from '../support/temp-dir.ts';

const folder = tempDir('warm');
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

describe('warm in the configuration', () => {
  it('is one platform and no schedule unless there is one, and counts nothing', () => {
    expect(load('').warm).toEqual({ platforms: ['linux/amd64'], jobs: 4, schedules: {} });
  });

  it('needs images and a time for a schedule', () => {
    const text = 'warm: { schedules: { a: { images: [nginx], cron: "0 3 * * *" } } }';
    expect(load(text).warm.schedules['a']).toEqual({
      images: ['nginx'],
      files: [],
      cron: '0 3 * * *',
      time_zone: 'UTC',
      referrers: false,
      pin: false,
    });
  });

  it('may have everything, and can be printed and read again', () => {
    const config = load(`
warm:
  platforms: [all]
  bandwidth: 50MiB
  schedules:
    nightly:
      images:
        - "nginx:1.2*"
        - library/nginx
        - index.docker.io/library/nginx:{1.26,1.27}-alpine
        - ghcr.io/org/app@sha256:${'a'.repeat(64)}
      files: [not-there-yet.txt]
      cron: "*/30 0 3 * * MON-FRI"
      time_zone: Europe/Berlin
      platforms: [linux/amd64, linux/arm/v7]
      referrers: true
      pin: true
      newest: 3
  observed: { keep: 5 }
`);
    expect(config.warm).toMatchObject({
      platforms: ['all'],
      bandwidth: 50 * 1024 * 1024,
      schedules: { nightly: { files: [join(process.cwd(), 'not-there-yet.txt')], newest: 3 } },
      observed: { keep: 5, days: 14, cron: '*/30 * * * *', time_zone: 'UTC' },
    });
    expect(load(printConfig(config))).toEqual(config);
  });

  it('is off again where all below observed is commented out', () => {
    expect(load('warm:\n  observed:\n').warm.observed).toBeUndefined();
    expect(load('warm: { observed: {} }').warm.observed).toMatchObject({ keep: 50 });
  });

  it('is refused with every fault at its place', () => {
    const found = faults(`
warm:
  platforms: [linux/amd64, "linux amd64", ""]
  jobs: 0
  bandwidth: 1
  schedules:
    a: { cron: "0 3 * * *" }
    b: { images: [nginx] }
    c: { images: [nginx], cron: "61 * * * *", time_zone: Europe/Berln, newest: 0 }
    d: { images: [nginx], cron: "0 0 31 2 *", time_zone: "", platforms: [] }
    Nightly: { images: [nginx], cron: "0 3 * * *" }
    observed: { images: [nginx], cron: "0 3 * * *" }
    e:
      cron: "@daily"
      images: ["quai.io/org/app:1", "reg.example/app", "localhost/app", "Nginx", "nginx:", "a b", "nginx:1*@sha256:x"]
  observed: { keep: 0, days: 91, cron: 2027-01-01, time_zone: Mars }
`);
    expect(found).toEqual([
      '3:28 warm.platforms[1]: expected a platform such as linux/amd64 or linux/arm/v7, or all',
      '3:43 warm.platforms[2]: expected a platform such as linux/amd64 or linux/arm/v7, or all',
      '4:3 warm.jobs: expected a whole number from 1 to 64',
      '5:3 warm.bandwidth: must be at least 1KiB',
      '7:5 warm.schedules.a: says nothing: give it images or files',
      '8:5 warm.schedules.b.cron: expected a cron expression in quotes',
      '9:27 warm.schedules.c.cron: expected a cron expression such as "0 3 * * *": minute, hour, day, month and weekday',
      '9:47 warm.schedules.c.time_zone: expected a time zone such as Europe/Berlin (did you mean Europe/Berlin?)',
      '9:72 warm.schedules.c.newest: expected a whole number from 1 to 1000',
      '10:27 warm.schedules.d.cron: this time never comes',
      '10:47 warm.schedules.d.time_zone: expected a time zone such as Europe/Berlin',
      '10:62 warm.schedules.d.platforms: must not be empty: leave it out',
      '11:5 warm.schedules.Nightly: a schedule is named in lower-case letters, digits, "-" and "_"',
      '12:5 warm.schedules.observed: this is what warm.observed is called',
      '15:16 warm.schedules.e.images[0]: its registry is none of the upstreams (did you mean quay.io?)',
      '15:37 warm.schedules.e.images[1]: its registry is none of the upstreams',
      '15:56 warm.schedules.e.images[2]: its registry is none of the upstreams',
      '15:73 warm.schedules.e.images[3]: expected an image such as docker.io/library/nginx:1.27; its tag may be a pattern',
      '15:82 warm.schedules.e.images[4]: expected an image such as docker.io/library/nginx:1.27; its tag may be a pattern',
      '15:92 warm.schedules.e.images[5]: expected an image such as docker.io/library/nginx:1.27; its tag may be a pattern',
      '15:99 warm.schedules.e.images[6]: expected an image such as docker.io/library/nginx:1.27; its tag may be a pattern',
      '16:15 warm.observed.keep: expected a whole number from 1 to 1000',
      '16:24 warm.observed.days: expected a whole number from 1 to 90',
      '16:34 warm.observed.cron: expected a cron expression such as "0 3 * * *": minute, hour, day, month and weekday',
      '16:52 warm.observed.time_zone: expected a time zone such as Europe/Berlin',
    ]);
  });

  it('needs a default upstream, or what is hosted, for images whose names say none', () => {
    const warm = 'warm: { schedules: { a: { images: [app, ghcr.io/a/b], cron: "@daily" } } }';
    const upstreams = 'upstreams: { ghcr.io: {} }';
    expect(faults(`${upstreams}\n${warm}`)).toEqual([
      '2:36 warm.schedules.a.images[0]: names no upstream, and there is no default_upstream',
    ]);
    expect(faults(`${upstreams}\ndefault_upstream: ghcr.io\n${warm}`)).toEqual([]);
    expect(faults(`${upstreams}\nhosted: { repositories: ["*"] }\n${warm}`)).toEqual([]);
    expect(faults(`${upstreams}\nhosted: { repositories: ["a/*"] }\n${warm}`)).toHaveLength(1);
  });
});
