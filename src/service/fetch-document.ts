import { readFileSync } from 'node:fs';
import { Dispatchers } from '../upstream/dispatchers.ts';
import { proxyFromEnvironment } from '../upstream/proxy.ts';

/** Milliseconds; a document of some kilobytes is there at once or not at all. */
const timeouts = {
  connect: 5_000,
  headers: 5_000,
  idle: 5_000,
  body: 10_000,
  slow: 10_000,
  token: 10_000,
};

/** Bytes. */
const maxSize = 512 * 1024;

/** Fetches small documents over HTTP, and follows no redirect: where it leads is nobody's word. */
export class DocumentFetcher {
  readonly #dispatchers: Dispatchers;

  /**
   * @param ca path of a PEM file, trusted besides the system's authorities
   * @throws where it cannot be read, or holds no certificate
   */
  constructor(ca: string | undefined, env: Readonly<Record<string, string | undefined>>) {
    this.#dispatchers = new Dispatchers({
      timeouts,
      connections: 2,
      ca: ca === undefined ? undefined : readFileSync(ca, 'utf8'),
      proxy: proxyFromEnvironment(env),
    });
  }

  /** The text of a document. @throws where it cannot be had within ten seconds, or is too large */
  async fetch(address: string): Promise<string> {
    const url = new URL(address);
    const { statusCode, body } = await this.#dispatchers.for(url).request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'GET',
      headers: { accept: 'application/json', 'accept-encoding': 'identity' },
      signal: AbortSignal.timeout(timeouts.body),
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxSize) throw new Error(`${url.host} sent a document that is too large`);
      chunks.push(chunk);
    }
    if (statusCode !== 200) throw new Error(`${url.host} answered ${statusCode}`);
    return Buffer.concat(chunks).toString('utf8');
  }

  async close(): Promise<void> {
    await this.#dispatchers.destroy();
  }
}
