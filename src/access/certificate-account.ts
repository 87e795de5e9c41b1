import type { ClientCertificate } from './authenticator.ts';
import { isAccountName } from './caller.ts';

/** Which name in a client's certificate is its account. */
export type CertificateName = 'common_name' | 'email' | 'dns' | 'uri';

/** The account of a certificate; undefined where it has no such name, or several, or one that cannot be an account. */
export function accountOfCertificate(
  { commonName, emails, dnsNames, uris }: ClientCertificate,
  name: CertificateName,
): string | undefined {
  const names = {
    common_name: commonName === undefined ? [] : [commonName],
    email: emails,
    dns: dnsNames,
    uri: uris,
  }[name];
  const [account] = names;
  return account !== undefined && names.length === 1 && isAccountName(account)
    ? account
    : undefined;
}
