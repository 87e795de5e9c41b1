import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Content } from '../../src/http/content.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import type { Tag } from '../../src/oci/reference.ts';
import type { Route } from '../../src/registry/resolve-route.ts';
import { Missing } from '../../src/service/missing.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { nothingThere } from '../support/registry-app.ts';
import { createScaffold, type Scaffold } from '../support/scaffold.ts';
import { waitFor } from '../support/wait-for.ts';

const offline: Content<Route> = {
  ...nothingThere,
  manifests: { get: () => Promise.reject(new RegistryError('UPSTREAM_OFFLINE')) },
};

let scaffold: Scaffold;
let warnings: string[];
let stop: AbortController;
let file: string;
beforeEach(async () => {
  scaffold = await createScaffold();
  warnings = [];
  stop = new AbortController();
  file = join(scaffold.layout.root, 'missing/images.jsonl');
});
afterEach(async () => {
  stop.abort();
  await scaffold.dispose();
});

const open = async (): Promise<Missing> => {
  const { layout, catalog } = scaffold;
  const logger = { warn: (message: string) => void warnings.push(message) } as unknown as Logger;
  return Missing.open({ layout, catalog, metrics: new Metrics('1'), logger });
};
const ask = (missing: Missing, tag: string, route = scaffold.offlineRoute('krill')) =>
  missing.telling(offline).manifests.get(route, tag as Tag);
const listed = async (missing: Missing): Promise<unknown> =>
  missing.api.tells['missing']!({}, stop.signal);

it('notes what an offline upstream lacks, and nothing of one that is not', async () => {
  const missing = await open();
  await expect(ask(missing, '1')).rejects.toMatchObject({ toldAs: 'MANIFEST_UNKNOWN' });
  const plain = ask(missing, '2', scaffold.route('krill'));
  await expect(plain).rejects.toMatchObject({ code: 'UPSTREAM_OFFLINE', toldAs: undefined });
  expect(await listed(missing)).toMatchObject({
    images: [{ image: 'docker.io/library/krill:1', count: 1 }],
  });
});

it('begins anew where its file cannot be read, and says so', async () => {
  await mkdir(file, { recursive: true });
  const missing = await open();
  expect(warnings).toEqual([expect.stringContaining('cannot be read')]);
  expect(await listed(missing)).toEqual({ images: [] });
});

it('writes what is noted as soon as the disk lets it, and at the end', async () => {
  const missing = await open();
  await writeFile(join(scaffold.layout.root, 'missing'), 'in the way');
  const running = missing.run(stop.signal);
  await expect(ask(missing, '1')).rejects.toThrow();
  await waitFor('a warning', () => warnings.some((each) => each.includes('written down')));
  await rm(join(scaffold.layout.root, 'missing'));
  await waitFor('the file', async () => (await readFile(file, 'utf8')).includes('krill:1'));
  await expect(ask(missing, '2')).rejects.toThrow();
  stop.abort();
  await running;
  expect(await readFile(file, 'utf8')).toContain('krill:2');
  const again = await open();
  expect(await listed(again)).toEqual(await listed(missing));
});
