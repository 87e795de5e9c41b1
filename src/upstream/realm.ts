import { isIP } from 'node:net';

/**
 * What to make of a token endpoint that a registry names in its challenge. A registry is believed
 * only about its own: otherwise one that was taken over could send everyone's password anywhere.
 *
 * - `trusted`: the registry's own, credentials may go there.
 * - `foreign`: asked for an anonymous token only.
 * - `refused`: not asked at all.
 */
export type RealmVerdict = 'trusted' | 'foreign' | 'refused';

/**
 * Domains under which anyone may have a host, so that two hosts there are not one party. Names of
 * countries' second level (`co.uk`) are told by their shape.
 */
const shared: ReadonlySet<string> = new Set(
  `aliyuncs.com amazonaws.com amazonaws.com.cn amplifyapp.com appspot.com azure.com azurecontainerapps.io azurecr.cn
  azurecr.io azurecr.us azureedge.net azurefd.net azurewebsites.net b-cdn.net cloudapp.net
  cloudflare.net cloudfront.net cloudsmith.io digitaloceanspaces.com duckdns.org dyndns.org
  elasticbeanstalk.com fastly.net firebaseapp.com fly.dev fly.io github.io githubpreview.dev
  gitlab.io gitpod.io googleapis.com googleusercontent.com herokuapp.com jfrog.io
  js.org loca.lt myqcloud.com myhuaweicloud.com netlify.app ngrok.app ngrok.dev ngrok.io nip.io
  no-ip.org now.sh on.aws ondigitalocean.app onrender.com oraclecloud.com pages.dev pkg.dev
  r2.dev railway.app render.com repl.co run.app scw.cloud sslip.io surge.sh
  trafficmanager.net ts.net vercel.app vultrcr.com web.app windows.net workers.dev
  xip.io`.split(/\s+/),
);

/** Registries whose token endpoint lives under another domain of the same owner. */
const known: ReadonlyMap<string, string> = new Map([['nvcr.io', 'authn.nvidia.com']]);

/**
 * Judges a realm.
 * @param trusted origins (`https://auth.example`) that the operator listed for this registry
 */
export function judgeRealm(
  realm: URL,
  registry: URL,
  trusted: readonly string[] = [],
): RealmVerdict {
  if (realm.protocol !== 'https:' && realm.protocol !== 'http:') return 'refused';
  if (realm.protocol === 'http:' && registry.protocol === 'https:') return 'refused';
  if (realm.username !== '' || realm.password !== '') return 'refused';
  return sameParty(realm.hostname, registry.hostname) ||
    known.get(registry.hostname) === realm.hostname ||
    trusted.includes(realm.origin)
    ? 'trusted'
    : 'foreign';
}

/** Whether two hosts are one, or share a domain that one party alone registers. */
export function sameParty(a: string, b: string): boolean {
  if (a === b) return true;
  const domain = registrableDomain(a);
  return domain !== undefined && domain === registrableDomain(b);
}

/**
 * The domain that was registered, by approximation: the last two labels, or three below a second
 * level such as `co.uk`. Undefined for addresses, single labels and shared domains, and rather too
 * often than once too few: `gcr.io` counts as a second level too, and costs nothing by it.
 */
function registrableDomain(host: string): string | undefined {
  if (isIP(host) !== 0 || host.startsWith('[')) return undefined;
  const labels = host.replace(/\.$/, '').split('.');
  const [second = '', top = ''] = labels.slice(-2);
  if (top === '' || second === '' || /^(?:local|localhost|internal|svc)$/.test(top)) {
    return undefined;
  }
  if (shared.has(`${second}.${top}`)) return undefined;
  const length = top.length === 2 && second.length <= 3 ? 3 : 2;
  const domain = labels.slice(-length).join('.');
  return labels.length < length || shared.has(domain) ? undefined : domain;
}
