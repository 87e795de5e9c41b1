import { Counter, Gauge, type Registry } from 'prom-client';
import type { LoginFailure, LoginMethod } from '../access/observer.ts';

const methods: readonly LoginMethod[] = ['password', 'token', 'issuer', 'certificate'];
const results: readonly (LoginFailure | 'ok')[] = [
  'ok',
  'wrong',
  'expired',
  'throttled',
  'unavailable',
];

/** Counts logins, and the tokens that are given for them. There are none of these series without accounts. */
export class LoginMetrics {
  readonly #logins: Counter<'method' | 'result'>;
  readonly #tokens: Counter<'account'>;
  readonly #reads: Counter<'result'>;
  readonly #failures: Counter<'source'>;

  /** @param waiting passwords that wait to be checked, asked whenever metrics are collected */
  constructor(register: Registry, waiting: () => number) {
    const registers = [register];
    this.#logins = new Counter({
      name: 'baleen_logins_total',
      help: 'Passwords, tokens and certificates that were checked, by method and result; what is remembered is not checked again',
      labelNames: ['method', 'result'],
      registers,
    });
    for (const method of methods) {
      for (const result of results) this.#logins.inc({ method, result }, 0);
    }
    this.#tokens = new Counter({
      name: 'baleen_tokens_issued_total',
      help: 'Tokens given out: to accounts (named) or to who has not logged in (anonymous)',
      labelNames: ['account'],
      registers,
    });
    for (const account of ['named', 'anonymous']) this.#tokens.inc({ account }, 0);
    this.#reads = new Counter({
      name: 'baleen_htpasswd_reads_total',
      help: 'Times that the file of accounts was read again since it had changed, by result: succeeded, or refused, which leaves the old accounts in force',
      labelNames: ['result'],
      registers,
    });
    for (const result of ['succeeded', 'refused']) this.#reads.inc({ result }, 0);
    this.#failures = new Counter({
      name: 'baleen_auth_key_failures_total',
      help: 'Times that keys could not be had: those that sign tokens (own), or those of an outside issuer',
      labelNames: ['source'],
      registers,
    });
    this.#failures.inc({ source: 'own' }, 0);
    register.registerMetric(
      new Gauge({
        name: 'baleen_password_checks_waiting',
        help: 'Passwords that wait to be checked; where it stays high, somebody is guessing',
        registers: [],
        collect() {
          this.set(waiting());
        },
      }),
    );
  }

  login(method: LoginMethod, result: LoginFailure | 'ok'): void {
    this.#logins.inc({ method, result });
  }

  tokenIssued(isAnonymous: boolean): void {
    this.#tokens.inc({ account: isAnonymous ? 'anonymous' : 'named' });
  }

  accountsRead(succeeded: boolean): void {
    this.#reads.inc({ result: succeeded ? 'succeeded' : 'refused' });
  }

  /** @param source `own`, or the name of an issuer in the configuration */
  keysFailed(source: string): void {
    this.#failures.inc({ source });
  }
}
