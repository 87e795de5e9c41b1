import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe } from '@jest/globals';
import { hash } from 'bcryptjs';
import { Baleen } from '../support/baleen.ts';
import { suiteResources } from '../support/resources.ts';
import { RegistryClient, type Account } from './registry-client.ts';

/** A way to run the registry that changes nothing in what it has to do for who may do it. */
interface Mode {
  readonly name: string;
  readonly account?: Account;
}

/** An account that may do everything. */
export const keeper: Account = { username: 'keeper', password: 'krill and plankton' };

const modes: readonly Mode[] = [
  { name: 'open to everybody' },
  { name: 'with accounts', account: keeper },
];

/** A Baleen that hosts `conformance/…`, for everybody, or for one account that may do everything. */
export async function startRegistry(account?: Account): Promise<Baleen> {
  const hosted = { hosted: { repositories: ['conformance/**'] }, upstreams: {} };
  if (account === undefined) return Baleen.start(hosted);
  const baleen = await Baleen.prepare(hosted);
  const passwords = join(dirname(baleen.configFile), 'htpasswd');
  const line = `${account.username}:${await hash(account.password, 4)}\n`;
  await writeFile(passwords, line);
  baleen.configure({ auth: { htpasswd: passwords } });
  await baleen.start();
  return baleen;
}

/** What a test has at hand. */
export interface Subject {
  readonly client: RegistryClient;
}

/**
 * The checks of the specification for those who have no Go: one suite, on a registry of its own
 * in each mode. The members of what the suite is given are there when its tests run.
 */
export function describeRegistry(name: string, suite: (subject: Subject) => void): void {
  describe.each(modes)(`${name}, $name`, ({ account }) => {
    const resources = suiteResources();
    let client: RegistryClient | undefined;

    beforeAll(async () => {
      const baleen = resources.use(await startRegistry(account));
      client = resources.use(new RegistryClient(baleen.url, account));
    });

    suite({
      get client() {
        if (client === undefined) throw new Error('only for tests');
        return client;
      },
    });
  });
}
