import { isRegistryError } from '../oci/errors.ts';
import type { Challenge } from './challenge.ts';
import {
  basicAuthorization,
  credentialIdentity,
  type Credential,
  type CredentialSource,
} from './credentials.ts';
import { isEcr } from './ecr.ts';
import type { UpstreamObserver } from './observer.ts';
import { judgeRealm } from './realm.ts';
import type { ExchangeableCredential, TokenWish } from './token-request.ts';
import type { TokenSource } from './token-source.ts';

export interface AuthenticatorOptions {
  readonly upstream: string;
  /** The registry's base URL: what credentials are bound to. */
  readonly registry: URL;
  readonly credentials: CredentialSource | undefined;
  /** Origins of token endpoints that get the credential although their host is unrelated. */
  readonly realms: readonly string[];
  /** Basic before it is asked for. */
  readonly preemptive: boolean;
  readonly tokens: Pick<TokenSource, 'get' | 'forget'>;
  readonly observer: UpstreamObserver;
}

/** An Authorization header, and what is needed when it is refused. */
export interface Authorization {
  readonly header: string;
  /** Absent for Basic. */
  readonly bearer?: { readonly wish: TokenWish; readonly token: string; readonly fresh: boolean };
}

/** Token endpoints that are kept in mind; a registry has one. */
const maxRealms = 8;

/** How the registry wants to be spoken to; learnt from its challenge. */
type Scheme =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: URL; readonly service: string | undefined };

/**
 * Finds the Authorization header for one registry URL. What the registry asked for once is
 * remembered, so that later requests need not be refused first.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #realms = new Set<string>();
  #scheme: Scheme | undefined;
  #warned = '';

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** What to send unasked; undefined for nothing. */
  async initial(scope: string, signal: AbortSignal): Promise<Authorization | undefined> {
    if (this.#scheme !== undefined) return this.#authorize(this.#scheme, scope, signal);
    const credential = await this.#options.credentials?.get(signal);
    if (credential === undefined) return undefined;
    const { preemptive, registry } = this.#options;
    if (credential.kind === 'registry') return { header: `Bearer ${credential.token}` };
    if (!preemptive && !isEcr(registry.hostname, credential)) return undefined;
    return basic(credential);
  }

  /** Keeps in mind what a challenge asks for, without answering it. */
  learn(challenges: readonly Challenge[]): void {
    this.#scheme = this.#choose(challenges);
  }

  /** Whether the registry has named a token endpoint at this host (and port). */
  hasRealm(host: string): boolean {
    return this.#realms.has(host);
  }

  /**
   * What to send after a 401; undefined where nothing better can be had than what was refused.
   * @param refused what had been sent
   */
  async answer(
    challenges: readonly Challenge[],
    refused: Authorization | undefined,
    scope: string,
    signal: AbortSignal,
  ): Promise<Authorization | undefined> {
    const scheme = this.#choose(challenges);
    this.#scheme = scheme;
    if (scheme === undefined) return undefined;
    if (refused !== undefined) {
      if (refused.bearer?.fresh === true && asksFor(scheme, refused.bearer.wish)) return undefined;
      this.#forget(refused);
    }
    const next = await this.#authorize(scheme, scope, signal);
    return next?.header === refused?.header ? undefined : next;
  }

  /** Whether the registry has ever said how it wants to be spoken to. */
  get learned(): boolean {
    return this.#scheme !== undefined;
  }

  #choose(challenges: readonly Challenge[]): Scheme | undefined {
    const scheme = choose(challenges) ?? this.#scheme;
    if (scheme?.kind === 'bearer') {
      if (this.#realms.size >= maxRealms) this.#realms.clear();
      this.#realms.add(scheme.realm.host);
    }
    return scheme;
  }

  #forget(refused: Authorization): void {
    const { credentials, tokens } = this.#options;
    if (refused.bearer === undefined) credentials?.forget();
    else tokens.forget(refused.bearer.wish, refused.bearer.token);
  }

  async #authorize(
    scheme: Scheme,
    scope: string,
    signal: AbortSignal,
  ): Promise<Authorization | undefined> {
    const credential = await this.#options.credentials?.get(signal);
    if (credential?.kind === 'registry') return { header: `Bearer ${credential.token}` };
    if (scheme.kind === 'basic') return basic(credential);
    const verdict = judgeRealm(scheme.realm, this.#options.registry, this.#options.realms);
    if (verdict === 'trusted') return this.#bearer(scheme, scope, credential, signal);
    if (credential !== undefined || verdict === 'refused') this.#warn(scheme.realm, verdict);
    return verdict === 'refused' ? undefined : this.#bearer(scheme, scope, undefined, signal);
  }

  async #bearer(
    scheme: Extract<Scheme, { kind: 'bearer' }>,
    scope: string,
    credential: ExchangeableCredential | undefined,
    signal: AbortSignal,
  ): Promise<Authorization> {
    const { credentials, tokens } = this.#options;
    const { realm, service } = scheme;
    const wish: TokenWish = { realm, service, scope, credential };
    try {
      return bearer(wish, await tokens.get(wish, signal));
    } catch (error) {
      // Whatever was remembered may be wrong by now: let the registry say again.
      if (!signal.aborted) this.#scheme = undefined;
      if (credential === undefined || !isRegistryError(error, 'UPSTREAM_DENIED')) throw error;
      credentials?.forget();
      const renewed = await credentials?.get(signal);
      if (renewed?.kind === 'registry') return { header: `Bearer ${renewed.token}` };
      if (credentialIdentity(renewed) === credentialIdentity(credential)) throw error;
      const again: TokenWish = { ...wish, credential: renewed };
      return bearer(again, await tokens.get(again, signal));
    }
  }

  /** Once for each realm: the same challenge comes with every request. */
  #warn(realm: URL, verdict: 'foreign' | 'refused'): void {
    if (this.#warned === realm.origin) return;
    this.#warned = realm.origin;
    const { observer, upstream, registry } = this.#options;
    const consequence =
      verdict === 'foreign' ? 'it gets no credentials and is asked anonymously' : 'it is not asked';
    const message =
      `the token endpoint ${realm.origin} that ${registry.host} names is not trusted: ` +
      `${consequence}; if it is right, list it under realms`;
    observer.warning({ upstream, message });
  }
}

function bearer(wish: TokenWish, grant: { token: string; fresh: boolean }): Authorization {
  return { header: `Bearer ${grant.token}`, bearer: { wish, ...grant } };
}

/** Only a user and password can be sent so. */
function basic(credential: Credential | undefined): Authorization | undefined {
  return credential?.kind === 'basic'
    ? { header: basicAuthorization(credential.username, credential.password) }
    : undefined;
}

/** Bearer where it is offered, else Basic: the stronger first (RFC 9110, section 11.6.1). */
function choose(challenges: readonly Challenge[]): Scheme | undefined {
  for (const { scheme, params } of challenges) {
    const realm = params.get('realm');
    if (scheme === 'bearer' && realm !== undefined && URL.canParse(realm)) {
      return { kind: 'bearer', realm: new URL(realm), service: params.get('service') };
    }
  }
  return challenges.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
}

function asksFor(scheme: Scheme, { realm, service }: TokenWish): boolean {
  return scheme.kind === 'bearer' && scheme.realm.href === realm.href && scheme.service === service;
}
