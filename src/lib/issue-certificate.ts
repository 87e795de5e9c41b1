import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import type { Extension, JsonGeneralName, JsonName } from '@peculiar/x509';

/*
 * Makes a certificate for a server (RFC 5280), and an authority that has signed it and nothing else:
 * its key is thrown away at once. So what clients come to trust can vouch for this one server alone,
 * also where it is put into a system's own store, and yet is what every such store takes: an authority.
 * A certificate that is its own authority is either refused by some of them or good for any name.
 */

export interface CertificateRequest {
  /** Host names and addresses, without ports; the first is the subject. */
  readonly hosts: readonly string[];
  readonly validFrom: Date;
  readonly validTo: Date;
}

/** All PEM. */
export interface IssuedCertificate {
  /** For the clients: what they have to trust. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** What all clients take. */
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Loads what only this needs: a start of Baleen does not pay for it. */
async function loadX509() {
  // Its containers ask for the polyfill while they are loaded.
  await import('reflect-metadata');
  return await import('@peculiar/x509');
}

type X509 = Awaited<ReturnType<typeof loadX509>>;

/** ECDSA with P-256 and SHA-256. */
export async function issueCertificate(request: CertificateRequest): Promise<IssuedCertificate> {
  const x509 = await loadX509();
  const [first = 'localhost'] = request.hosts;
  const [ca, server] = await Promise.all([keyPair(), keyPair()]);
  // Another name each time: a store may hold several, and clients look for an authority by its name.
  const issuer = commonName(`Baleen ${randomBytes(4).toString('hex')}`);
  const certify = async (
    subject: JsonName,
    { publicKey }: webcrypto.CryptoKeyPair,
    extensions: readonly Extension[],
  ): Promise<string> => {
    const certificate = await x509.X509CertificateGenerator.create({
      issuer,
      subject,
      notBefore: request.validFrom,
      notAfter: request.validTo,
      publicKey,
      signingKey: ca.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        ...extensions,
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
      ],
    });
    return `${certificate.toString('pem')}\n`;
  };
  return {
    authority: await certify(issuer, ca, authorityExtensions(x509)),
    certificate: await certify(
      commonName(first.slice(0, 64)),
      server,
      serverExtensions(x509, request.hosts),
    ),
    key: KeyObject.from(server.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function keyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function commonName(text: string): JsonName {
  return [{ CN: [text] }];
}

const critical = true;

function authorityExtensions(x509: X509): Extension[] {
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  return [
    new x509.BasicConstraintsExtension(true, 0, critical), // of no other authority
    new x509.KeyUsagesExtension(keyCertSign | cRLSign, critical),
  ];
}

function serverExtensions(x509: X509, hosts: readonly string[]): Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, critical),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, critical),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(hosts.map(alternativeName)),
  ];
}

function alternativeName(host: string): JsonGeneralName {
  if (isIP(host) === 0) return { type: 'dns', value: host };
  // The library misreads an address that ends in an IPv4 one; the URL parser's form has none inside.
  const value = isIP(host) === 6 ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host;
  return { type: 'ip', value };
}
