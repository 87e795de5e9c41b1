import { isRegistryError } from '../oci/errors.ts';
import { isCrowded, isLocal } from './network-error.ts';

/**
 * Whose fault a failed request is, and so whose breaker hears of it:
 *
 * - `none`: the registry answered; that the answer was no, or no use, is not for a breaker.
 * - `registry`: no connection, no answer in time, or a 5xx, of the registry's own host or of the
 *   token server that it names.
 * - `limited`: a 429 of one of these: it is about the credential.
 * - `elsewhere`: the same of a host that the registry redirected to, which has a breaker of its own.
 * - `crowded`: nobody's. It was not sent, since other requests keep all connections busy; another URL
 *   may have one free.
 * - `local`: our own machine's. Nothing was learnt about anybody else.
 */
export type Fault = 'none' | 'registry' | 'limited' | 'elsewhere' | 'crowded' | 'local';

/**
 * Judges a failed request.
 * @param owns whether a host is the registry's own, or its token server's
 */
export function faultOf(error: unknown, owns: (host: string) => boolean): Fault {
  if (isCrowded(error)) return 'crowded';
  if (!isRegistryError(error) || isLocal(error) || isCredentialFault(error)) return 'local';
  if (!isRegistryError(error, 'UPSTREAM_UNAVAILABLE', 'UPSTREAM_TIMEOUT', 'TOOMANYREQUESTS')) {
    return 'none';
  }
  if (error.upstreamHost !== undefined && !owns(error.upstreamHost)) return 'elsewhere';
  return error.code === 'TOOMANYREQUESTS' ? 'limited' : 'registry';
}

/** A credential cannot be had, as where its file or its helper fails: nobody was asked. */
export function isCredentialFault(error: unknown): boolean {
  return isRegistryError(error, 'UPSTREAM_DENIED') && error.upstreamStatus === undefined;
}
