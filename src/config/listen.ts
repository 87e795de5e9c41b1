import { isIPv6 } from 'node:net';
import type { Listen } from './config.ts';

const shape = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?))?:(\d{1,5})$/;

/** Parses `0.0.0.0:5000`, `[::]:5000`, `localhost:5000` or `:5000`; undefined where it is none of these. */
export function parseListen(text: string): Listen | undefined {
  const match = shape.exec(text.trim());
  if (match === null) return undefined;
  const [, bracketed, plain] = match;
  const port = Number(match[3]);
  if (port > 65_535 || (bracketed !== undefined && !isIPv6(bracketed))) return undefined;
  return { host: bracketed ?? plain, port };
}

/** The text {@link parseListen} reads. */
export function formatListen({ host, port }: Listen): string {
  if (host === undefined) return `:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether no particular address is meant. */
export function isWildcard({ host }: Listen): boolean {
  return host === undefined || host === '0.0.0.0' || host === '::';
}

/** Whether nobody but this machine can reach it. */
export function isLoopback({ host }: Listen): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host ?? '');
}

/** Whether two servers cannot both listen so. */
export function listenClash(one: Listen, other: Listen): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  return isWildcard(one) || isWildcard(other) || one.host === other.host;
}
