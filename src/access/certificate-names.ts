import type { PeerCertificate } from 'node:tls';
import type { ClientCertificate } from './authenticator.ts';

/** The names in a certificate that TLS has found good. */
export function namesInCertificate({
  subject,
  subjectaltname,
}: Pick<PeerCertificate, 'subjectaltname'> & {
  /** Node gives a list where there are several. */
  readonly subject?: { readonly CN?: string | readonly string[] | undefined } | undefined;
}): ClientCertificate {
  const names = alternativeNames(subjectaltname ?? '');
  const of = (type: string): string[] =>
    names.filter(([given]) => given === type).map(([, name]) => name);
  const commonName = subject?.CN;
  return {
    commonName: typeof commonName === 'string' ? commonName : undefined,
    emails: of('email'),
    dnsNames: of('DNS'),
    uris: of('URI'),
  };
}

/** `DNS:a.example, URI:"spiffe://b, c"`: what could be taken for a separator is quoted as in JSON. */
const entry = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;

/** Reads Node's form of the alternative names; what is not of this form ends them. */
function alternativeNames(text: string): (readonly [type: string, name: string])[] {
  const names: (readonly [string, string])[] = [];
  entry.lastIndex = 0;
  for (let match = entry.exec(text); match !== null; match = entry.exec(text)) {
    const [whole, type = '', value = ''] = match;
    const name = value.startsWith('"') ? unquote(value) : value;
    if (name === undefined) return [];
    names.push([type, name]);
    if (whole === '' || entry.lastIndex >= text.length) return names;
  }
  // A form that is not known: then no name in it can be relied on.
  return text === '' ? names : [];
}

function unquote(text: string): string | undefined {
  try {
    return String(JSON.parse(text));
  } catch {
    return undefined;
  }
}
