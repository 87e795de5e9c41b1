import { describe, expect, it } from '@jest/globals';
import type { FailedLogin } from '../../src/access/observer.ts';
import { createLoginObserver } from '../../src/telemetry/login-observer.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';

type Line = readonly [level: string, message: string, fields: object];

function create() {
  const metrics = new Metrics('1.2.3');
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (message: string, fields: object): void =>
      void lines.push([level, message, fields]);
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const observer = createLoginObserver(
    metrics.createLoginMetrics(() => 3),
    logger as unknown as Logger,
  );
  return { metrics, lines, observer };
}

const failed: FailedLogin = {
  method: 'password',
  failure: 'wrong',
  account: 'alice',
  client: '10.0.0.1',
  reason: 'wrong password',
};

describe('what is told of logins', () => {
  it('is a count of each kind, and of the tokens', async () => {
    const { metrics, observer } = create();
    observer.loggedIn('password');
    observer.loginFailed(failed);
    observer.tokenIssued('anonymous');
    observer.tokenIssued('alice');
    observer.tokenIssued('bob');
    observer.accountsRead(2, undefined);
    observer.keysFailed(new Error('disk'));
    observer.issuerFailed('gitlab', new Error('down'));
    const text = await metrics.render();
    for (const sample of [
      'baleen_logins_total{method="password",result="ok"} 1',
      'baleen_logins_total{method="password",result="wrong"} 1',
      'baleen_logins_total{method="certificate",result="ok"} 0',
      'baleen_tokens_issued_total{account="anonymous"} 1',
      'baleen_tokens_issued_total{account="named"} 2',
      'baleen_htpasswd_reads_total{result="succeeded"} 1',
      'baleen_auth_key_failures_total{source="own"} 1',
      'baleen_auth_key_failures_total{source="gitlab"} 1',
      'baleen_password_checks_waiting 3',
    ]) {
      expect(text).toContain(`${sample}\n`);
    }
  });

  it('is a line for a failure, with who and from where, not one for each', () => {
    const { lines, observer } = create();
    for (let tries = 0; tries < 100; tries++) observer.loginFailed(failed);
    observer.loginFailed({ ...failed, client: '10.0.0.2' });
    expect(lines).toEqual([
      [
        'warn',
        'a login failed',
        { method: 'password', account: 'alice', client: '10.0.0.1', reason: 'wrong password' },
      ],
      ['warn', 'a login failed', expect.objectContaining({ client: '10.0.0.2' })],
    ]);
  });

  it('is a line for all that a client sends under many names without any being looked at', () => {
    const { lines, observer } = create();
    for (let name = 0; name < 100; name++) {
      const reason = 'too many passwords are being checked';
      observer.loginFailed({ ...failed, failure: 'unavailable', account: `a${name}`, reason });
    }
    expect(lines).toHaveLength(1);
  });

  it('is no warning where a token has merely expired', () => {
    const { lines, observer } = create();
    observer.loginFailed({ ...failed, method: 'token', failure: 'expired', account: undefined });
    expect(lines.map(([level]) => level)).toEqual(['debug']);
  });

  it('cuts names that are as long as a client likes', () => {
    const { lines, observer } = create();
    observer.loginFailed({ ...failed, account: 'x'.repeat(10_000) });
    expect(JSON.stringify(lines).length).toBeLessThan(400);
  });
});
