import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import {
  bitString,
  boolean,
  integer,
  objectIdentifier as oid,
  octetString,
  sequence,
  set,
  tagged,
  time,
  utf8String,
  wrapped,
} from './der.ts';

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

interface Party {
  readonly name: string;
  readonly publicKey: KeyObject;
}

/** ECDSA with P-256 and SHA-256: what all clients take. */
export function issueCertificate(request: CertificateRequest): IssuedCertificate {
  const [first = 'localhost'] = request.hosts;
  const [ca, server] = [keyPair(), keyPair()];
  // Another name each time: a store may hold several, and clients look for an authority by its name.
  const issuer = { name: `Baleen ${randomBytes(4).toString('hex')}`, publicKey: ca.publicKey };
  const subject = { name: first.slice(0, 64), publicKey: server.publicKey };
  const certify = (party: Party, extensions: readonly Buffer[]): string =>
    pem(signed(toBeSigned(request, issuer, party, extensions), ca.privateKey));
  return {
    authority: certify(issuer, authorityExtensions()),
    certificate: certify(subject, serverExtensions(request.hosts)),
    key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function keyPair() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

const algorithm = sequence(oid('1.2.840.10045.4.3.2')); // ecdsa-with-SHA256

function toBeSigned(
  { validFrom, validTo }: CertificateRequest,
  issuer: Party,
  subject: Party,
  extensions: readonly Buffer[],
): Buffer {
  const version3 = wrapped(0, integer(Buffer.of(2)));
  return sequence(
    version3,
    integer(randomBytes(16)),
    algorithm,
    commonName(issuer.name),
    sequence(time(validFrom), time(validTo)),
    commonName(subject.name),
    spki(subject),
    wrapped(3, sequence(...extensions, ...identifiers(issuer, subject))),
  );
}

function signed(content: Buffer, key: KeyObject): Buffer {
  return sequence(content, algorithm, bitString(sign('sha256', content, key)));
}

function commonName(text: string): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), utf8String(text))));
}

function spki({ publicKey }: Party): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** Section 4.2.1.1 and 4.2.1.2, with identifiers as in RFC 7093, section 2, method 4. */
function identifiers(issuer: Party, subject: Party): Buffer[] {
  const idOf = (party: Party): Buffer =>
    createHash('sha256').update(spki(party)).digest().subarray(0, 20);
  return [
    extension('2.5.29.14', octetString(idOf(subject))),
    extension('2.5.29.35', sequence(tagged(0, idOf(issuer)))),
  ];
}

function authorityExtensions(): Buffer[] {
  const isAuthority = sequence(boolean(true), integer(Buffer.of(0))); // of no other authority
  return [
    extension('2.5.29.19', isAuthority, critical),
    extension('2.5.29.15', keyUsage(0b0000_0110, 1), critical), // keyCertSign, cRLSign
  ];
}

function serverExtensions(hosts: readonly string[]): Buffer[] {
  return [
    extension('2.5.29.19', sequence(), critical),
    extension('2.5.29.15', keyUsage(0b1000_0000, 7), critical), // digitalSignature
    extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))), // serverAuth
    extension('2.5.29.17', sequence(...hosts.map(alternativeName))),
  ];
}

const critical = boolean(true);

function extension(id: string, value: Buffer, ...isCritical: readonly Buffer[]): Buffer {
  return sequence(oid(id), ...isCritical, octetString(value));
}

function keyUsage(bits: number, unused: number): Buffer {
  return bitString(Buffer.of(bits), unused);
}

/** Section 4.2.1.6: `[2] dNSName`, `[7] iPAddress`. */
function alternativeName(host: string): Buffer {
  return isIP(host) === 0 ? tagged(2, Buffer.from(host)) : tagged(7, addressBytes(host));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  // The URL parser's form has no IPv4 inside; `::` is the run of zeros that it leaves out.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const [before, after] = [groupsOf(head), groupsOf(tail)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  const hex = [...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join('');
  return Buffer.from(hex, 'hex');
}

function groupsOf(text = ''): string[] {
  return text === '' ? [] : text.split(':');
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
