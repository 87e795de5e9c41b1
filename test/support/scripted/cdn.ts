import type { ServerResponse } from 'node:http';
import type { Content } from '../images.ts';
import { interfere, type FaultScript } from './fault.ts';
import { LoopbackServer, type SeenRequest } from './loopback-server.ts';
import { sendContent, type SendOptions } from './send-content.ts';

/** What can be scripted of a content delivery network. */
export interface CdnOptions {
  /** How often one signed URL is good. */
  readonly uses?: number;
  /** Milliseconds for which a signed URL is good. */
  readonly lifetime?: number;
}

/**
 * Where blobs really are: another origin, reached by signed URLs. Like the object stores it
 * stands for, it refuses a request that carries an Authorization header beside its signature.
 */
export class Cdn {
  readonly server: LoopbackServer;
  readonly #options: CdnOptions;
  readonly #faults: FaultScript;
  readonly #send: () => SendOptions;
  readonly #signed = new Map<string, { content: Content; uses: number; until: number }>();

  constructor(options: CdnOptions, faults: FaultScript, send: () => SendOptions) {
    this.#options = options;
    this.#faults = faults;
    this.#send = send;
    this.server = new LoopbackServer((seen, answer) => this.#answer(seen, answer), {
      kind: 'cdn',
    });
  }

  /** Every request that came, headers and all. */
  get requests(): readonly SeenRequest[] {
    return this.server.requests;
  }

  /** A URL under which the content can be fetched for a while. */
  sign(content: Content): string {
    const { uses = Infinity, lifetime = Infinity } = this.#options;
    const signature = `${String(this.#signed.size)}-${Math.random().toString(36).slice(2)}`;
    this.#signed.set(signature, { content, uses, until: Date.now() + lifetime });
    return `${this.server.origin}/${content.digest}?X-Signature=${signature}`;
  }

  async #answer(seen: SeenRequest, answer: ServerResponse): Promise<void> {
    if (seen.headers.authorization !== undefined) {
      answer.writeHead(400, { 'content-type': 'application/xml' });
      answer.end('<Error><Code>InvalidRequest</Code></Error>');
      return;
    }
    const signed = this.#signed.get(seen.query.get('X-Signature') ?? '');
    if (signed === undefined || signed.uses <= 0 || Date.now() >= signed.until) {
      answer.writeHead(403, { 'content-type': 'application/xml' });
      answer.end('<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>');
      return;
    }
    signed.uses -= 1;
    const fault = this.#faults.next(seen);
    if (await interfere(answer, fault)) return;
    await sendContent(seen, answer, signed.content, fault, this.#send());
  }
}
