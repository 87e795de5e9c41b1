import { readFile } from 'node:fs/promises';
import { IssuerKeys, type FetchKeys } from '../access/issuer-keys.ts';
import type { AccessObserver } from '../access/observer.ts';
import { OutsideIssuer } from '../access/outside-issuer.ts';
import type { IssuerConfig } from '../config/auth-config.ts';
import { DocumentFetcher } from './fetch-document.ts';

/** The outside issuers of a configuration. */
export interface Issuers extends AsyncDisposable {
  /** By their `iss`. */
  readonly byIssuer: ReadonlyMap<string, OutsideIssuer>;
}

/**
 * Builds what checks the tokens of outside issuers. Nothing is fetched before the first token comes:
 * Baleen starts whether or not they can be reached.
 * @throws where a `ca` cannot be read, or holds no certificate
 */
export function createIssuers(
  issuers: Readonly<Record<string, IssuerConfig>>,
  observer: Pick<AccessObserver, 'issuerFailed'>,
  env: Readonly<Record<string, string | undefined>>,
): Issuers {
  const fetchers: DocumentFetcher[] = [];
  const entries = Object.entries(issuers).map(([name, config]) => {
    const fetcher = new DocumentFetcher(config.ca, env);
    fetchers.push(fetcher);
    const keys = new IssuerKeys(fetchKeys(config, fetcher), (error) =>
      observer.issuerFailed(name, error),
    );
    const { issuer, audience, account_claim, groups_claim, prefix = `${name}:` } = config;
    const outside = new OutsideIssuer({
      name,
      issuer,
      audience,
      accountClaim: account_claim,
      groupsClaim: groups_claim,
      prefix,
      keys,
    });
    return [issuer, outside] as const;
  });
  return {
    byIssuer: new Map(entries),
    async [Symbol.asyncDispose]() {
      await Promise.all(fetchers.map((fetcher) => fetcher.close()));
    },
  };
}

function fetchKeys(
  { issuer, jwks, jwks_file: file }: IssuerConfig,
  fetcher: DocumentFetcher,
): FetchKeys {
  if (file !== undefined) return () => readFile(file, 'utf8');
  return async () => fetcher.fetch(jwks ?? (await discoverKeys(issuer, fetcher)));
}

/** OpenID Connect Discovery 1.0, section 4: where an issuer says that its keys are. */
async function discoverKeys(issuer: string, fetcher: DocumentFetcher): Promise<string> {
  const base = issuer.replace(/\/$/, '');
  const text = await fetcher.fetch(`${base}/.well-known/openid-configuration`);
  const document = Object(JSON.parse(text)) as { issuer?: unknown; jwks_uri?: unknown };
  if (document.issuer !== issuer) throw new Error('its discovery document is another issuer’s');
  const { jwks_uri: uri } = document;
  if (typeof uri !== 'string' || !URL.canParse(uri)) {
    throw new Error('its discovery document names no jwks_uri');
  }
  const isAsSafe = new URL(uri).protocol === 'https:' || new URL(issuer).protocol === 'http:';
  if (!isAsSafe) throw new Error('its keys would come over http');
  return uri;
}
