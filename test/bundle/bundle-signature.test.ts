import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  isSignedBy,
  keyId,
  parseBundleSignature,
  readSigningKey,
  readVerificationKey,
  signDigests,
} from '../../src/bundle/bundle-signature.ts';

const text = Buffer.from('{"version":1}');

function keys(passphrase?: string): { secret: string; open: string } {
  const encryption = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', ...encryption },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { secret: privateKey, open: publicKey };
}

const ours = keys();
const others = keys();
const open = readVerificationKey(ours.open);
const other = readVerificationKey(others.open);

describe('the signature of a bundle', () => {
  it('is good with the key that made it, and with no other', () => {
    const signature = parseBundleSignature(signDigests(text, readSigningKey(ours.secret)));
    expect(isSignedBy(text, signature, [other, open])).toBe(true);
    expect(isSignedBy(text, signature, [other])).toBe(false);
    expect(isSignedBy(text, signature, [])).toBe(false);
    expect(isSignedBy(Buffer.from('{"version":2}'), signature, [open])).toBe(false);
  });

  it('is good with no other key that it is said to be of', () => {
    const made = JSON.parse(signDigests(text, readSigningKey(ours.secret)).toString()) as object;
    const claimed = Buffer.from(JSON.stringify({ ...made, key: keyId(other) }));
    expect(isSignedBy(text, parseBundleSignature(claimed), [open, other])).toBe(false);
  });

  it('is the same each time, and tells the key by its public part', () => {
    const key = readSigningKey(ours.secret);
    expect(signDigests(text, key)).toEqual(signDigests(text, key));
    expect(keyId(key)).toBe(keyId(open));
  });

  it('can be made with a key that is encrypted, where the passphrase is right', () => {
    const { secret, open } = keys('krill');
    const signature = parseBundleSignature(signDigests(text, readSigningKey(secret, 'krill')));
    expect(isSignedBy(text, signature, [readVerificationKey(open)])).toBe(true);
    expect(() => readSigningKey(secret)).toThrow('no passphrase was given');
    expect(() => readSigningKey(secret, 'plankton')).toThrow('the passphrase is another');
  });

  it.each([
    ['nothing', ''],
    ['a certificate of another kind', 'no key'],
  ])('cannot be made or verified with %s', (_what, pem) => {
    expect(() => readSigningKey(pem)).toThrow('it holds no private key');
    expect(() => readVerificationKey(pem)).toThrow('it holds no public key');
  });

  it('takes no key of another kind, and no private one to verify with', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    expect(() => readSigningKey(pem)).toThrow('another kind than Ed25519 (ec)');
    const openPem = publicKey.export({ type: 'spki', format: 'pem' });
    expect(() => readVerificationKey(openPem)).toThrow('another kind than Ed25519 (ec)');
    expect(() => readVerificationKey(ours.secret)).toThrow('it holds a private key');
  });

  it.each<[string, (made: { signature: string }) => unknown]>([
    ['another algorithm', (made) => ({ ...made, algorithm: 'none' })],
    ['no key', (made) => ({ ...made, key: undefined })],
    ['a short signature', (made) => ({ ...made, signature: made.signature.slice(4) })],
    [
      'a signature with something behind it',
      (made) => ({ ...made, signature: `${made.signature}!` }),
    ],
    ['no object', () => null],
    ['more than it may be', (made) => ({ ...made, more: 'x'.repeat(5000) })],
  ])('is refused with %s', (_what, change) => {
    const made = JSON.parse(signDigests(text, readSigningKey(ours.secret)).toString()) as {
      signature: string;
    };
    const bytes = Buffer.from(JSON.stringify(change(made)));
    expect(() => parseBundleSignature(bytes)).toThrow('baleen.sig is not right');
  });

  it('verifies what Ed25519 alone makes of the bytes', () => {
    const raw = sign(null, text, ours.secret);
    const signature = { algorithm: 'ed25519', key: keyId(open), signature: raw } as const;
    expect(isSignedBy(text, signature, [open])).toBe(true);
  });
});
