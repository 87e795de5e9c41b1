import { generateKeyPair, type JsonWebKey } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, importJWK, type CryptoKey } from 'jose';
import { isMissing, removeFile, writeFilesAtomic } from '../lib/atomic-file.ts';
import { SingleFlight } from '../lib/single-flight.ts';
import { planKeys, type KeyTimes } from './key-plan.ts';
import type { AccessObserver } from './observer.ts';

/** One key pair of ours. */
export interface SigningKey {
  /** Its thumbprint (RFC 7638), which is also its file's name. */
  readonly kid: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

/** Ed25519 (RFC 8037), and nothing else, whatever a token says of itself. */
export const signingAlgorithm = 'EdDSA';

export interface SigningKeysOptions {
  /** Where they are kept: for the owner's eyes only. Several Baleens may share it. */
  readonly folder: string;
  readonly times: KeyTimes;
  readonly observer: Pick<AccessObserver, 'keysFailed'>;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Milliseconds between two looks at the folder. */
const interval = 60_000;

/** Milliseconds between two looks that tokens with an unknown key can cause. */
const lookPause = 1_000;

const nameShape = /^([\w-]{43})\.json$/;

/**
 * The keys that tokens are signed with: made at the first start, renewed every day, kept until the
 * last token that they signed has expired.
 */
export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #now: () => number;
  readonly #looks = new SingleFlight<void>();
  #keys: ReadonlyMap<string, SigningKey> = new Map();
  #signing: SigningKey | undefined;
  #lookedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: SigningKeysOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** @throws the file system's error where there is no key, and none can be made */
  static async open(options: SigningKeysOptions): Promise<SigningKeys> {
    const keys = new SigningKeys(options);
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    await keys.#look();
    if (keys.#signing === undefined) await keys.#renew();
    keys.#timer = setInterval(() => void keys.maintain(), interval).unref();
    return keys;
  }

  /** The key to sign with. */
  get signing(): SigningKey {
    // open() fails where there is none, and none is given up before there is another.
    return this.#signing!;
  }

  /** The key of this name; another Baleen may just have made it. */
  async find(kid: string): Promise<SigningKey | undefined> {
    const known = this.#keys.get(kid);
    if (known !== undefined || performance.now() - this.#lookedAt < lookPause) return known;
    await this.#lookAgain();
    return this.#keys.get(kid);
  }

  /** Takes up what others have made, renews what is old, removes what is of no use. Never rejects. */
  async maintain(): Promise<void> {
    await this.#lookAgain();
    try {
      const { isDue, expired } = this.#plan();
      if (isDue) await this.#renew();
      for (const { kid } of expired) {
        await removeFile(this.#pathOf(kid));
        this.#keys = new Map([...this.#keys].filter(([name]) => name !== kid));
      }
    } catch (error) {
      this.#options.observer.keysFailed(error);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #plan(): ReturnType<typeof planKeys<SigningKey>> {
    return planKeys([...this.#keys.values()], this.#options.times, this.#now());
  }

  async #lookAgain(): Promise<void> {
    try {
      await this.#looks.run('', () => this.#look());
    } catch (error) {
      this.#options.observer.keysFailed(error);
    }
  }

  async #look(): Promise<void> {
    this.#lookedAt = performance.now();
    const found = new Map<string, SigningKey>();
    for (const name of await readdir(this.#options.folder)) {
      const kid = nameShape.exec(name)?.[1];
      const key = kid === undefined ? undefined : (this.#keys.get(kid) ?? (await this.#read(kid)));
      if (key !== undefined) found.set(key.kid, key);
    }
    // A folder that was emptied, or is out of reach for a while, ends no session.
    if (found.size === 0 && this.#keys.size > 0) return;
    this.#keys = found;
    this.#signing = this.#plan().signing ?? this.#signing;
  }

  /** One broken file leaves the others as they are. */
  async #read(kid: string): Promise<SigningKey | undefined> {
    try {
      const text = await readFile(this.#pathOf(kid), 'utf8');
      const { created, key } = JSON.parse(text) as { created: string; key: JsonWebKey };
      const time = Date.parse(created);
      if (Number.isNaN(time)) throw new Error(`${kid}: no time of creation`);
      return await importKey(key, time, kid);
    } catch (error) {
      if (!isMissing(error)) this.#options.observer.keysFailed(error);
      return undefined;
    }
  }

  async #renew(): Promise<void> {
    const created = this.#now();
    const pair = await promisify(generateKeyPair)('ed25519');
    const jwk = pair.privateKey.export({ format: 'jwk' });
    const key = await importKey(jwk, created);
    const bytes = `${JSON.stringify({ created: new Date(created).toISOString(), key: jwk })}\n`;
    const file = { path: this.#pathOf(key.kid), bytes, mode: 0o600 };
    await writeFilesAtomic([file], { tmpDir: this.#options.folder });
    this.#keys = new Map([...this.#keys, [key.kid, key]]);
    this.#signing = this.#plan().signing ?? key;
  }

  #pathOf(kid: string): string {
    return join(this.#options.folder, `${kid}.json`);
  }
}

/** @param kid what it has to be called, where it comes from a file of this name */
async function importKey(
  { kty, crv, x, d }: JsonWebKey,
  created: number,
  kid?: string,
): Promise<SigningKey> {
  const shared = { kty: kty ?? '', crv: crv ?? '', x: x ?? '' };
  const thumbprint = await calculateJwkThumbprint(shared);
  if (kid !== undefined && thumbprint !== kid) throw new Error(`${kid}: this is another key`);
  const [privateKey, publicKey] = await Promise.all([
    importJWK({ ...shared, d: d ?? '' }, signingAlgorithm),
    importJWK(shared, signingAlgorithm),
  ]);
  if (privateKey instanceof Uint8Array || publicKey instanceof Uint8Array) {
    throw new Error(`${thumbprint}: no key pair`);
  }
  return { kid: thumbprint, created, privateKey, publicKey };
}
