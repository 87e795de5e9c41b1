import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { digestOf, isDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';

/** `baleen.sig`: who vouches for a bundle's digest index. */
export interface BundleSignature {
  readonly algorithm: 'ed25519';
  /** The {@link keyId} of the key that made it. */
  readonly key: Digest;
  /** RFC 8032, over the bytes of `baleen.json` as they are: `openssl pkeyutl -verify -rawin` can check it. */
  readonly signature: Buffer;
}

/** The largest `baleen.sig`, in bytes. */
export const maxSignatureSize = 4096;

/** Bytes of an Ed25519 signature. */
const signatureSize = 64;

/**
 * Reads a private key to sign with, as `openssl genpkey -algorithm ed25519` makes it.
 * @param passphrase where the key is encrypted
 * @throws RegistryError REQUEST_INVALID; the message says nothing of what was in the file
 */
export function readSigningKey(pem: string | Buffer, passphrase?: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(passphrase === undefined ? { key: pem } : { key: pem, passphrase });
  } catch (cause) {
    const isLocked = passphrase === undefined && /ENCRYPTED/.test(pem.toString());
    const message = isLocked
      ? 'its key is encrypted, and no passphrase was given'
      : 'it holds no private key that can be read, or the passphrase is another';
    throw new RegistryError('REQUEST_INVALID', message, { cause });
  }
  return ofEd25519(key);
}

/**
 * Reads a public key to verify with, as `openssl pkey -pubout` makes it.
 * @throws RegistryError REQUEST_INVALID
 */
export function readVerificationKey(pem: string | Buffer): KeyObject {
  // Node takes a private key for its public one: such a file is not to be carried about.
  if (/PRIVATE KEY/.test(pem.toString())) {
    throw new RegistryError('REQUEST_INVALID', 'it holds a private key: give the public one');
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new RegistryError('REQUEST_INVALID', 'it holds no public key that can be read', {
      cause,
    });
  }
  return ofEd25519(key);
}

/** What a key is known by: the digest of its public part (SubjectPublicKeyInfo, DER). */
export function keyId(key: KeyObject): Digest {
  const open = key.type === 'private' ? createPublicKey(key) : key;
  return digestOf(open.export({ type: 'spki', format: 'der' }));
}

/** The bytes of `baleen.sig` for those of `baleen.json`. The same key gives the same. */
export function signDigests(digests: Buffer, key: KeyObject): Buffer {
  const signature = sign(null, digests, key).toString('base64');
  return Buffer.from(`${JSON.stringify({ algorithm: 'ed25519', key: keyId(key), signature })}\n`);
}

/** @throws RegistryError MANIFEST_INVALID */
export function parseBundleSignature(bytes: Buffer): BundleSignature {
  let document: unknown;
  try {
    document = bytes.length > maxSignatureSize ? undefined : JSON.parse(bytes.toString('utf8'));
  } catch {
    // Not even JSON.
  }
  const { algorithm, key, signature } = (document ?? {}) as Record<string, unknown>;
  const raw = typeof signature === 'string' ? Buffer.from(signature, 'base64') : undefined;
  const isRight =
    algorithm === 'ed25519' &&
    typeof key === 'string' &&
    isDigest(key) &&
    raw?.length === signatureSize &&
    raw.toString('base64') === signature;
  if (!isRight) throw new RegistryError('MANIFEST_INVALID', 'baleen.sig is not right');
  return { algorithm, key, signature: raw };
}

/** Whether one of these keys has made a signature of these bytes. */
export function isSignedBy(
  digests: Buffer,
  { key, signature }: BundleSignature,
  keys: readonly KeyObject[],
): boolean {
  const named = keys.find((each) => keyId(each) === key);
  return named?.asymmetricKeyType === 'ed25519' && verify(null, digests, named, signature);
}

/** Another kind of key would sign in another way, or with another's meaning. */
function ofEd25519(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new RegistryError(
    'REQUEST_INVALID',
    `it holds a key of another kind than Ed25519 (${key.asymmetricKeyType ?? 'unknown'})`,
  );
}
