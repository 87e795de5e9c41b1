import type { Command } from 'commander';
import { HtpasswdFault } from '../access/htpasswd-file.ts';
import { Htpasswd } from '../access/htpasswd.ts';
import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/config.ts';
import { CertificateError, readCertificate } from '../service/certificate.ts';
import type { CommandContext } from './context.ts';
import { configFor } from './options.ts';

/** `baleen config check` */
export function addConfigCheck(parent: Command, context: CommandContext): void {
  parent
    .command('check')
    .description('say whether the configuration can be used, and list everything that is wrong')
    .action((_options: unknown, command: Command) => {
      const config = configFor(command, context);
      checkCertificate(config);
      checkAccounts(config);
      const count = Object.keys(config.upstreams).length;
      context.stdout(`The configuration is good: ${count} upstream${count === 1 ? '' : 's'}.\n`);
    });
}

/** What is in the files, which the configuration alone does not tell. */
function checkCertificate({ server }: Config): void {
  try {
    if (server.tls !== undefined) readCertificate(server.tls);
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    throw new ConfigError([{ path: ['server', 'tls'], message: error.message }]);
  }
}

function checkAccounts({ auth }: Config): void {
  try {
    if (auth?.htpasswd !== undefined) void new Htpasswd(auth.htpasswd);
  } catch (error) {
    if (!(error instanceof HtpasswdFault)) throw error;
    throw new ConfigError([{ path: ['auth', 'htpasswd'], message: error.message }]);
  }
}
