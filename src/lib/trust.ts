import { X509Certificate } from 'node:crypto';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';

/**
 * Trust in some certificates besides those of Node and of the system. One context serves all
 * connections: to parse some 300 certificates for each would be dear.
 * @param ca PEM
 * @throws TypeError where it holds no certificate, or one that cannot be read
 */
export function trusting(ca: string): SecureContext {
  const blocks = ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new TypeError('ca holds no PEM certificate');
  try {
    for (const block of blocks) void new X509Certificate(block);
  } catch (cause) {
    throw new TypeError('ca holds a certificate that cannot be read', { cause });
  }
  const known = [...getCACertificates('default'), ...getCACertificates('system')];
  return createSecureContext({ ca: [...new Set([...known, ...blocks])] });
}
