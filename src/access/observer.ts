/** How somebody proves who they are. */
export type LoginMethod = 'password' | 'token' | 'issuer' | 'certificate';

/**
 * Why that was not believed. `expired` is what happens to every token that is used for long enough;
 * `throttled`: not looked at, after too many failures.
 */
export type LoginFailure = 'wrong' | 'expired' | 'throttled' | 'unavailable';

/** A login that failed. */
export interface FailedLogin {
  readonly method: LoginMethod;
  readonly failure: LoginFailure;
  /** As the client says, so anything; undefined where it does not say. */
  readonly account: string | undefined;
  readonly client: string;
  /** For the log, never for the client; no secret. */
  readonly reason: string;
}

/** Told of logins and of what is behind them; telemetry implements it. */
export interface AccessObserver {
  /** Somebody has proved who they are, for the first time or after a while: not told of each request. */
  loggedIn(method: LoginMethod): void;
  loginFailed(failed: FailedLogin): void;
  tokenIssued(account: string): void;
  /** The file of accounts was read again; with an error where the old one stays in force. */
  accountsRead(accounts: number, error: Error | undefined): void;
  /** The keys that tokens are signed with cannot be read or renewed; those in memory go on. */
  keysFailed(error: unknown): void;
  /** An outside issuer's keys cannot be had. */
  issuerFailed(issuer: string, error: unknown): void;
}
