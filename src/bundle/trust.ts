import type { KeyObject } from 'node:crypto';
import { RegistryError } from '../oci/errors.ts';
import { isSignedBy, keyId, parseBundleSignature } from './bundle-signature.ts';

/** Whose bundles are taken. */
export interface Trust {
  /** Public keys that are known; a signature by one of them has to be right, whatever is insisted on. */
  readonly keys: readonly KeyObject[];
  /** Each a set of keys of which one has to have signed; none where signatures are not insisted on. */
  readonly required: readonly (readonly KeyObject[])[];
}

/** Nobody has to vouch for anything. */
export const trustsAll: Trust = { keys: [], required: [] };

/**
 * Decides whether a bundle is taken.
 * @param digests `baleen.json`, as it came; undefined for an archive that has none
 * @param signature `baleen.sig`, as it came
 * @returns the id of the key that has signed it, where that is known here
 * @throws RegistryError BUNDLE_UNTRUSTED; MANIFEST_INVALID for a signature that is none
 */
export function judge(
  { keys, required }: Trust,
  digests: Buffer | undefined,
  signature: Buffer | undefined,
): string | undefined {
  if (digests === undefined || signature === undefined) {
    if (required.length === 0) return undefined;
    const what = digests === undefined ? 'this archive can carry none' : 'this bundle carries none';
    throw untrusted(`a signature is required, and ${what}`);
  }
  const parsed = parseBundleSignature(signature);
  const known = [...keys, ...required.flat()];
  const isKnown = known.some((key) => keyId(key) === parsed.key);
  if (isKnown && !isSignedBy(digests, parsed, known)) {
    throw untrusted('its signature does not fit: baleen.json was changed after it was signed');
  }
  const isMissing = required.some((some) => !isSignedBy(digests, parsed, some));
  if (isMissing)
    throw untrusted(`it is signed with a key that is not trusted here (${parsed.key})`);
  return isKnown ? parsed.key : undefined;
}

function untrusted(message: string): RegistryError {
  return new RegistryError('BUNDLE_UNTRUSTED', message);
}
