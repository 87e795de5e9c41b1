import { RegistryError } from '../oci/errors.ts';
import { parseAuthorization } from './authorization.ts';
import type { Authenticator, ClientCertificate, Presented } from './authenticator.ts';
import { anonymous, type Caller } from './caller.ts';
import { accountOfCertificate, type CertificateName } from './certificate-account.ts';
import type { HtpasswdAccount } from './htpasswd.ts';
import type { GroupsOf, Login } from './login.ts';
import type { AccessObserver } from './observer.ts';
import type { PasswordLogin } from './password-login.ts';
import type { TokenLogin } from './token-login.ts';

export interface AccountsOptions {
  /** Undefined where nobody has a password. */
  readonly passwords: PasswordLogin | undefined;
  readonly tokens: TokenLogin;
  /** Which name in a client's certificate is its account; undefined where certificates prove nothing. */
  readonly certificates: CertificateName | undefined;
  readonly groupsOf: GroupsOf;
  readonly observer: Pick<AccessObserver, 'loggedIn' | 'loginFailed'>;
}

/** Who has brought nothing along. */
export const nobody: Login = { ...anonymous, givenGroups: [], stamp: undefined, until: undefined };

/**
 * Finds out who makes a request, by what it presents: a password or a token in its Authorization
 * header, else the certificate of its connection.
 */
export class Accounts implements Authenticator {
  readonly #options: AccountsOptions;
  readonly #inFile = new WeakMap<HtpasswdAccount, Login>();
  readonly #certified = new WeakMap<ClientCertificate, Login>();

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  identify(presented: Presented): Caller | Promise<Caller> {
    const { authorization, client } = presented;
    if (authorization === undefined) return this.#byCertificate(presented);
    const given = parseAuthorization(authorization);
    if (given.scheme === 'bearer') return this.#options.tokens.check(given.token, client);
    return this.#byPassword(given.username, given.password, client);
  }

  /**
   * As {@link identify}, for who asks for a token. A token itself is not enough: it would never end.
   * @throws RegistryError UNAUTHORIZED, TOOMANYREQUESTS, UNAVAILABLE
   */
  async login(presented: Presented): Promise<Login> {
    const { authorization, client } = presented;
    if (authorization === undefined) return this.#byCertificate(presented);
    const given = parseAuthorization(authorization);
    if (given.scheme === 'basic') return this.#byPassword(given.username, given.password, client);
    throw new RegistryError('UNAUTHORIZED', 'a token is given for a password only');
  }

  #byPassword(username: string, password: string, client: string): Login | Promise<Login> {
    const { passwords, tokens, observer } = this.#options;
    // The name is of no account then: the token says which one it is.
    if (tokens.isOutside(password)) return tokens.check(password, client);
    if (passwords === undefined) {
      const reason = 'no account has a password';
      const method = 'password';
      observer.loginFailed({ method, failure: 'wrong', account: username, client, reason });
      throw new RegistryError('UNAUTHORIZED', 'incorrect username or password');
    }
    const account = passwords.check({ username, password, client });
    return account instanceof Promise
      ? account.then((found) => this.#ofFile(username, found))
      : this.#ofFile(username, account);
  }

  #ofFile(name: string, account: HtpasswdAccount): Login {
    let login = this.#inFile.get(account);
    if (login === undefined) {
      login = this.#loginOf(name, account.stamp);
      this.#inFile.set(account, login);
    }
    return login;
  }

  #byCertificate({ certificate, client }: Presented): Login {
    const { certificates, observer } = this.#options;
    if (certificate === undefined || certificates === undefined) return nobody;
    let login = this.#certified.get(certificate);
    if (login !== undefined) return login;
    const account = accountOfCertificate(certificate, certificates);
    if (account === undefined) {
      login = nobody;
      const reason = `the certificate has not one ${certificates} that can be an account`;
      const method = 'certificate';
      observer.loginFailed({ method, failure: 'wrong', account, client, reason });
    } else {
      login = this.#loginOf(account, undefined);
      observer.loggedIn('certificate');
    }
    this.#certified.set(certificate, login);
    return login;
  }

  #loginOf(account: string, stamp: string | undefined): Login {
    const groups = this.#options.groupsOf(account);
    return { account, groups, scope: undefined, givenGroups: [], stamp, until: undefined };
  }
}
