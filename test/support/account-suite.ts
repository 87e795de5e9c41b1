import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Baleen } from './baleen.ts';
import type { PushClient } from './clients/push-client.ts';
import { command, type CommandResult } from './command.ts';
import type { PushSuite } from './push-suite.ts';
import { suiteResources } from './resources.ts';
import { runnableImage } from './runnable-image.ts';
import { tempDir } from './temp-dir.ts';

const keeper = ['keeper', 'krill and plankton'] as const;
const reader = ['reader', 'only looking'] as const;

/**
 * What accounts mean for a client, over plain HTTP and over TLS by a certificate of Baleen's own
 * making: `keeper` may do everything, `reader` pulls, and who has not logged in does nothing.
 */
export function describeAccounts(suite: PushSuite): void {
  describe.each(['plain HTTP', 'TLS'])('a registry with accounts, over %s', (transport) => {
    const { expected = ({ prints }): string => prints, showsMessages = true } = suite;
    const resources = suiteResources();
    const image = runnableImage(42);
    const name = 'local/app:1.0';
    let client: PushClient;

    beforeAll(async () => {
      const { path } = resources.use(tempDir('accounts'));
      const passwords = join(path, 'htpasswd');
      for (const [user, password] of [keeper, reader]) {
        const how = user === 'keeper' ? '-cbB' : '-bB';
        await command('htpasswd', [how, '-C', '4', passwords, user, password]);
      }
      const baleen = resources.use(
        await Baleen.prepare({
          hosted: { repositories: ['local/**'] },
          upstreams: {},
          auth: { htpasswd: passwords },
          access: [
            { accounts: ['keeper'], repositories: ['**'], actions: ['admin'] },
            { accounts: ['reader'], repositories: ['local/**'], actions: ['pull'] },
          ],
        }),
      );
      const certificates = transport === 'TLS' ? join(path, 'trusted') : undefined;
      if (certificates !== undefined) {
        const made = join(path, 'tls');
        const result = await baleen.command('cert', 'self-signed', '--out', made);
        expect(result).toMatchObject({ code: 0 });
        const [cert, key] = ['tls.crt', 'tls.key'].map((file) => join(made, file));
        baleen.configure({ server: { tls: { cert, key } } });
        // Clients would take a key that lies beside the authority for their own.
        await mkdir(certificates);
        await copyFile(join(made, 'ca.crt'), join(certificates, 'ca.crt'));
      }
      await baleen.start();
      client = resources.use(await suite.start({ host: baleen.host, certificates }));
      await client.hold(name, image);
    });

    const failure = ({ code, stdout, stderr }: CommandResult): string => {
      expect(code).not.toBe(0);
      return stdout + stderr;
    };

    it('is closed to who knows no password, and to who has a wrong one', async () => {
      expect(failure(await client.push(name))).toMatch(unauthorized);
      const login = await client.login('keeper', 'wrong');
      expect(failure(login.code === 0 ? await client.push(name) : login)).toMatch(unauthorized);
      await client.logout();
    });

    it('takes what is pushed by who may', async () => {
      expect(await client.login(...keeper)).toMatchObject({ code: 0 });
      expect(await client.push(name)).toMatchObject({ code: 0 });
      await client.logout();
    });

    it('is read by who has logged in, and by nobody else', async () => {
      expect(failure(await client.pull(name))).toMatch(unauthorized);
      expect(await client.login(...reader)).toMatchObject({ code: 0 });
      expect(await client.pull(name)).toMatchObject({ code: 0 });
      expect(await client.output()).toBe(expected(image));
    });

    it('tells who may only read that a push is denied', async () => {
      await client.hold('local/app:2.0', image);
      const said = failure(await client.push('local/app:2.0'));
      expect(said).toMatch(showsMessages ? /reader may not push to local\/app/ : /403 Forbidden/);
      await client.logout();
    });
  });
}

/** What clients make of a 401, each in its own words. */
const unauthorized = /authentication required|no basic auth|denied|invalid username|authoriz/i;
