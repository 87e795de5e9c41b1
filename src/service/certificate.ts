import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { TlsConfig } from '../config/config.ts';
import { secureContextOf, type TlsOptions } from '../http/tls-options.ts';

/* The certificate that clients are shown: read, and found fit for use. */

/** A certificate with its key. */
export interface Certificate {
  readonly options: TlsOptions;
  /** Milliseconds since the epoch. */
  readonly validFrom: number;
  readonly validTo: number;
  /** The names and addresses it is good for, such as `DNS:registry.example, IP Address:10.0.0.5`. */
  readonly names: string | undefined;
  /** SHA-256, in hexadecimal with colons. */
  readonly fingerprint: string;
}

/** A certificate or a key that cannot be used; the message names the file, and quotes nothing of it. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/**
 * Reads a certificate, its key and the clients' authority.
 * @throws CertificateError where a file cannot be read or used, or the two do not belong together
 */
export function readCertificate(tls: TlsConfig): Certificate {
  const cert = read(tls.cert);
  const key = read(tls.key);
  const ca = tls.client_ca === undefined ? undefined : read(tls.client_ca);
  const x509 = parse(tls.cert, cert, 'server.tls.cert');
  if (tls.client_ca !== undefined && ca !== undefined)
    parse(tls.client_ca, ca, 'server.tls.client_ca');
  const privateKey = parseKey(tls.key, key);
  if (!x509.checkPrivateKey(privateKey)) {
    throw new CertificateError(
      `the key in ${tls.key} does not belong to the certificate in ${tls.cert}`,
    );
  }
  const options = { cert, key, ca, minVersion: tls.min_version };
  try {
    createSecureContext(secureContextOf(options));
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new CertificateError(`the certificate in ${tls.cert} cannot be used (${reason})`, {
      cause,
    });
  }
  return {
    options,
    validFrom: Date.parse(x509.validFrom),
    validTo: Date.parse(x509.validTo),
    names: x509.subjectAltName,
    fingerprint: x509.fingerprint256,
  };
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
    throw new CertificateError(`${path} cannot be read (${reason})`, { cause });
  }
}

/** The first certificate of a file: the server's own, where others follow it. */
function parse(path: string, pem: Buffer, setting: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    const isKey = pem.includes('PRIVATE KEY-----');
    const hint = isKey ? 'it holds a key' : 'PEM is expected';
    throw new CertificateError(`${path} holds no certificate (${setting}; ${hint})`, { cause });
  }
}

function parseKey(path: string, pem: Buffer) {
  if (pem.includes('BEGIN ENCRYPTED PRIVATE KEY') || pem.includes('Proc-Type: 4,ENCRYPTED')) {
    throw new CertificateError(
      `the key in ${path} is encrypted, and nobody is there to type its password; store it without one: openssl pkey -in ${path} -out plain.key`,
    );
  }
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    const isCertificate = pem.includes('BEGIN CERTIFICATE');
    const hint = isCertificate ? 'it holds a certificate' : 'PEM is expected';
    throw new CertificateError(`${path} holds no private key (server.tls.key; ${hint})`, { cause });
  }
}

/** How a certificate stands at a moment. */
export type CertificateState = 'valid' | 'expires soon' | 'expired' | 'not yet valid';

const day = 86_400_000;

/**
 * Soon: within the last fifth of its life, and two weeks at most. Whatever renews certificates does so
 * long before (certbot and cert-manager when a third is left), so something is wrong by then.
 * @param now milliseconds since the epoch
 */
export function stateOf(
  { validFrom, validTo }: Pick<Certificate, 'validFrom' | 'validTo'>,
  now: number,
): CertificateState {
  if (now < validFrom) return 'not yet valid';
  if (now >= validTo) return 'expired';
  const soon = Math.min(14 * day, (validTo - validFrom) / 5);
  return validTo - now <= soon ? 'expires soon' : 'valid';
}
