import { AccessRules, defaultRules } from '../access/rules.ts';
import type { Config } from '../config/config.ts';
import { AccessGuard } from '../http/access-guard.ts';
import type { RouteTable } from '../registry/resolve-route.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createLoginObserver } from '../telemetry/login-observer.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { LiveAccounts } from './accounts.ts';
import type { Reloadable } from './reload.ts';

export interface AccessOptions {
  readonly config: Config;
  readonly table: RouteTable;
  /** `<data>/v1` */
  readonly directory: string;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Who is who, and who may do what. */
export class Access implements Reloadable {
  readonly accounts: LiveAccounts;
  readonly guard: AccessGuard;

  private constructor(accounts: LiveAccounts, guard: AccessGuard) {
    this.accounts = accounts;
    this.guard = guard;
  }

  /**
   * Undefined where there are no accounts: everybody may do everything then.
   * @throws as {@link LiveAccounts.open}
   */
  static async open({ config, table, ...options }: AccessOptions): Promise<Access | undefined> {
    const { auth } = config;
    if (auth === undefined) return undefined;
    const guard = new AccessGuard(table, rulesOf(config));
    const { directory, env } = options;
    const metrics = options.metrics.createLoginMetrics(() => accounts.waiting);
    const accounts: LiveAccounts = await LiveAccounts.open({
      auth,
      directory,
      grantable: (...what) => guard.grantable(...what),
      observer: createLoginObserver(metrics, options.logger),
      env,
    });
    return new Access(accounts, guard);
  }

  /**
   * Whoever takes the accounts away has to start anew: no doors open by a slip of the pen.
   * @throws as {@link LiveAccounts.open}
   */
  prepare(next: Config): () => void {
    if (next.auth === undefined) return () => undefined;
    const commit = this.accounts.prepare(next.auth);
    const rules = rulesOf(next);
    return () => {
      commit();
      this.guard.replace(rules);
    };
  }

  async close(): Promise<void> {
    await this.accounts.close();
  }
}

function rulesOf({ access }: Config): AccessRules {
  return new AccessRules(access ?? defaultRules);
}
