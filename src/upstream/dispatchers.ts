import type { SecureContext } from 'node:tls';
import { Agent, errors, Pool, ProxyAgent, type Dispatcher } from 'undici';
import { trusting } from '../lib/trust.ts';
import { trackingConnector } from './kept-connection.ts';
import type { ProxyChoice } from './proxy.ts';

/** Deadlines in milliseconds. There is none on a blob as a whole: it may flow as long as it flows. */
export interface UpstreamTimeouts {
  /** DNS, TCP and TLS together. */
  readonly connect: number;
  /** From the request sent to the last header. */
  readonly headers: number;
  /** Between two pieces of a body. */
  readonly idle: number;
  /** A manifest, a page of a list, or the text of an error, as a whole. */
  readonly body: number;
  /** Over which a blob's pace is averaged; see `minRate`. */
  readonly slow: number;
  /** A token, or a credential exchanged, as a whole. */
  readonly token: number;
}

export interface DispatcherOptions {
  readonly timeouts: UpstreamTimeouts;
  /** Connections per origin; a request beyond them waits for one to come free. */
  readonly connections: number;
  /** PEM certificates, trusted beside the usual ones. */
  readonly ca: string | undefined;
  readonly proxy: ProxyChoice;
  /** Each request gets a connection of its own. */
  readonly fresh?: boolean;
}

/** Nobody sends more in headers, in bytes; signed URLs of CDNs take 2 to 4 KiB. */
const maxHeaderSize = 32_768;

/** undici dispatchers for one kind of traffic: one to connect directly, one for each proxy. */
export class Dispatchers {
  readonly #options: DispatcherOptions;
  readonly #secureContext: SecureContext | undefined;
  readonly #byProxy = new Map<string, Dispatcher>();
  #destroyed = false;

  /** @throws TypeError where `ca` is not PEM */
  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#secureContext = options.ca === undefined ? undefined : trusting(options.ca);
  }

  /** @throws errors.ClientDestroyedError after {@link destroy} */
  for(url: URL): Dispatcher {
    if (this.#destroyed) throw new errors.ClientDestroyedError();
    const proxy = this.#options.proxy(url) ?? '';
    let dispatcher = this.#byProxy.get(proxy);
    if (dispatcher === undefined) {
      dispatcher = this.#create(proxy);
      this.#byProxy.set(proxy, dispatcher);
    }
    return dispatcher;
  }

  /** Idle connections are closed, running transfers end with an error. */
  async destroy(): Promise<void> {
    this.#destroyed = true;
    await Promise.all([...this.#byProxy.values()].map((dispatcher) => dispatcher.destroy()));
  }

  #create(proxy: string): Dispatcher {
    const { connect, headers, idle } = this.#options.timeouts;
    const tls = this.#secureContext === undefined ? {} : { secureContext: this.#secureContext };
    const shared = {
      // One slow HTTP/2 window would hold all blobs back; connections of their own do not.
      allowH2: false,
      connections: this.#options.connections,
      headersTimeout: headers,
      bodyTimeout: idle,
      maxHeaderSize,
      ...(this.#options.fresh === true && { pipelining: 0 }),
    };
    if (proxy === '') {
      const connector = trackingConnector({ ...tls, timeout: connect, allowH2: false });
      return new Agent({ ...shared, connect: connector });
    }
    return new ProxyAgent({
      ...shared,
      uri: proxy,
      connectTimeout: connect,
      requestTls: tls,
      proxyTls: tls,
      // Else a proxy that never answers CONNECT would hold the request for undici's 300 s.
      clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: connect }),
    });
  }
}
