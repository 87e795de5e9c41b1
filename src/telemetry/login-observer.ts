import { anonymousAccount } from '../access/caller.ts';
import type { AccessObserver } from '../access/observer.ts';
import type { LoginMetrics } from './login-metrics.ts';
import type { Logger } from './logger.ts';
import { Occasional } from './occasional.ts';

/** Milliseconds between two log lines about the same trouble. */
const quiet = 10_000;

/** Characters of an account's name: whoever logs in chooses it. */
const longestName = 100;

/** Counts logins, and logs those that fail, each client and account now and then. */
export function createLoginObserver(metrics: LoginMetrics, logger: Logger): AccessObserver {
  const occasional = new Occasional(quiet);
  return {
    loggedIn(method) {
      metrics.login(method, 'ok');
    },
    loginFailed({ method, failure, account, client, reason }) {
      metrics.login(method, failure);
      const name = account?.slice(0, longestName);
      const fields = { method, account: name, client, reason };
      // Every token that is used for longer than it is good for ends like this.
      if (failure === 'expired') {
        logger.debug('a token has expired', fields);
        return;
      }
      // What was not even looked at costs its sender nothing, under however many names it comes.
      const whose = failure === 'unavailable' ? '' : name;
      const held = occasional.admit(`${client} ${method} ${whose ?? ''} ${reason}`);
      if (held === undefined) return;
      logger.warn('a login failed', { ...fields, ...(held > 0 && { suppressed: held }) });
    },
    tokenIssued(account) {
      metrics.tokenIssued(account === anonymousAccount);
    },
    accountsRead(accounts, error) {
      metrics.accountsRead(error === undefined);
      if (error === undefined) {
        logger.info('the accounts were read again', { accounts });
        return;
      }
      logger.error('the accounts cannot be read again; the old ones stay in force', {
        accounts,
        error,
      });
    },
    keysFailed(error) {
      metrics.keysFailed('own');
      const held = occasional.admit('keys');
      if (held === undefined) return;
      logger.error('the keys that tokens are signed with cannot be read or renewed', {
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
    issuerFailed(issuer, error) {
      metrics.keysFailed(issuer);
      const held = occasional.admit(`issuer ${issuer}`);
      if (held === undefined) return;
      logger.warn('the keys of an issuer cannot be had', {
        issuer,
        error,
        ...(held > 0 && { suppressed: held }),
      });
    },
  };
}
