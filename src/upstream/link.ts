import { RegistryError } from '../oci/errors.ts';
import { redactUrl } from './redact.ts';

const link = /<([^>]*)>((?:\s*;\s*[\w!#$&+\-.^`|~*]+\s*=\s*(?:"[^"]*"|[^\s;,"]*))*)/g;

/**
 * The next page of a list (distribution specification, "Listing Tags"; RFC 8288).
 * @param from the URL of this page
 * @returns undefined on the last page
 * @throws RegistryError UPSTREAM_INVALID where the next page is at another host
 */
export function nextPage(from: URL, header: string | string[] | undefined): URL | undefined {
  for (const [, target = '', params = ''] of [header ?? []].flat().join(', ').matchAll(link)) {
    if (!/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?![^\s;]))/i.test(params)) continue;
    const to = URL.parse(target, from.href);
    if (to === null) continue;
    if (to.hostname !== from.hostname) {
      throw new RegistryError('UPSTREAM_INVALID', `${redactUrl(from)}: its next page is elsewhere`);
    }
    // Registries behind a proxy that ends TLS name themselves with http: or an inner port.
    const next = new URL(from.origin);
    // Set, not parsed again: a path that begins with two slashes would be taken for another host.
    next.pathname = to.pathname;
    next.search = to.search;
    return next;
  }
  return undefined;
}
