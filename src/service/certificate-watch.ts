import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../telemetry/logger.ts';
import { stateOf, type Certificate, type CertificateState } from './certificate.ts';

/*
 * Certificates are renewed by others (certbot, cert-manager, an administrator), who send no signal. So
 * their files are looked at. That asks less of the file system than watching, which sees no mounted
 * secret change: those are swapped by a link further up.
 */

export interface CertificateWatchOptions {
  /** What shows it to clients. */
  readonly servers: {
    readonly certificate: Certificate | undefined;
    readonly certificateFiles: readonly string[];
    /** @throws where the files cannot be used */
    renewCertificate(): void;
  };
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics: {
    observeCertificate(expires: () => number): void;
    certificateReloaded(succeeded: boolean): void;
  };
  /** Milliseconds between two looks. */
  readonly interval?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** How often it is said again that a certificate is not as it should be, in milliseconds. */
const reminder = 86_400_000;

/** Takes up what is new until the signal is aborted; settles at once without TLS. Never rejects. */
export async function watchCertificate(
  options: CertificateWatchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { servers, metrics, interval = 2_000 } = options;
  const first = servers.certificate;
  if (first === undefined) return;
  metrics.observeCertificate(() => servers.certificate?.validTo ?? first.validTo);
  const watch = new CertificateWatch(options, first);
  for (;;) {
    watch.judge();
    await delay(interval, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    await watch.look();
  }
}

class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  #shown: Certificate;
  /** What the files were like at the last look. */
  #seen = '';
  #isPending = false;
  #told: CertificateState = 'valid';
  #toldAt = 0;

  constructor(options: CertificateWatchOptions, shown: Certificate) {
    this.#options = options;
    this.#shown = shown;
    this.#introduce('TLS is on');
  }

  /** Reads files that have changed once they have stopped changing: the certificate and its key come one after the other. */
  async look(): Promise<void> {
    const { servers, logger, metrics } = this.#options;
    const stamp = await stampOf(servers.certificateFiles);
    if (stamp !== this.#seen) {
      this.#seen = stamp;
      this.#isPending = true;
      return;
    }
    if (this.#isPending) {
      this.#isPending = false;
      try {
        servers.renewCertificate();
        metrics.certificateReloaded(true);
      } catch (error) {
        metrics.certificateReloaded(false);
        logger.error('the new certificate cannot be used; the old one is still shown', {
          error,
          expires: isoDate(this.#shown.validTo),
        });
      }
    }
    const { certificate } = servers;
    if (certificate === undefined) return;
    if (isDeepStrictEqual(certificate.options, this.#shown.options)) return;
    this.#shown = certificate;
    this.#introduce('the certificate was renewed: new connections are shown the new one');
  }

  /** Says how it stands, where that is not well. */
  judge(): void {
    const { logger, now = Date.now } = this.#options;
    const time = now();
    const state = stateOf(this.#shown, time);
    if (state === this.#told && time - this.#toldAt < reminder) return;
    this.#told = state;
    this.#toldAt = time;
    const { validFrom, validTo, names } = this.#shown;
    const fields = { from: isoDate(validFrom), expires: isoDate(validTo), names };
    if (state === 'expires soon') {
      logger.warn('the certificate expires soon, and clients refuse Baleen then', fields);
    } else if (state === 'expired') {
      logger.error('the certificate has expired: clients refuse Baleen', fields);
    } else if (state === 'not yet valid') {
      logger.error('the certificate is not valid yet: clients refuse Baleen', fields);
    }
  }

  #introduce(message: string): void {
    const { logger } = this.#options;
    const { names, validTo, fingerprint } = this.#shown;
    logger.info(message, { names, expires: isoDate(validTo), fingerprint });
    if (names !== undefined) return;
    logger.warn(
      'the certificate has no subject alternative names: docker and most others refuse it',
    );
  }
}

function isoDate(time: number): string {
  return new Date(time).toISOString();
}

/**
 * Another text whenever one of the files is another, was written, or belongs to others; links are
 * followed.
 */
async function stampOf(paths: readonly string[]): Promise<string> {
  const stamps = paths.map(async (path) => {
    try {
      const { ino, size, ctimeNs } = await stat(path, { bigint: true });
      return `${path} ${ino}:${size}:${ctimeNs}`;
    } catch {
      return `${path} -`;
    }
  });
  return (await Promise.all(stamps)).join('\n');
}
