import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Baleen } from '../support/baleen.ts';
import { suiteResources } from '../support/resources.ts';
import { describeOfficial } from './describe-official.ts';
import { keeper, startRegistry } from './describe-registry.ts';
import { runOfficialProgram, type ProgramReport } from './official-program.ts';

/** What the program itself leaves out unless it is asked for: manifests that lack some of their content. */
const optional = { 'Sparse Manifests': 'Disabled' };

/** What version 1.1 of the specification does not have. */
const later = {
  'Blob upload cancel': 'Disabled',
  'Manifest put with tag params': 'Disabled',
  'Tag Param': 'Disabled',
  'Tag Param sha512': 'Disabled',
};

await describeOfficial('the official OCI conformance program', [], (program) => {
  describe.each([
    ['without accounts', undefined],
    ['with accounts', keeper],
  ])('%s', (_, account) => {
    const resources = suiteResources();
    let baleen: Baleen;
    const run = async (version: '1.1' | 'dev'): Promise<ProgramReport> =>
      runOfficialProgram(program, {
        registry: baleen.host,
        version,
        repositories: [`conformance/one-${version}`, `conformance/two-${version}`],
        ...account,
      });

    beforeAll(async () => {
      baleen = resources.use(await startRegistry(account));
    });

    it('finds nothing to complain about by version 1.1', async () => {
      const { passed, ...rest } = await run('1.1');
      expect(rest).toEqual({
        verdict: 'Pass',
        complaints: [],
        notPassed: { ...optional, ...later },
      });
      expect(passed).toBeGreaterThan(800);
    });

    it('finds nothing to complain about by the newest text', async () => {
      const { passed, ...rest } = await run('dev');
      expect(rest).toEqual({ verdict: 'Pass', complaints: [], notPassed: optional });
      expect(passed).toBeGreaterThan(900);
    });
  });
});
