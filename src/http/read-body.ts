import type { IncomingMessage } from 'node:http';
import { RegistryError } from '../oci/errors.ts';
import { welcomeBody } from './request-body.ts';

/**
 * How much more than its limit is read of a body, and dropped: only a client that could send all of
 * it reads the answer. A larger one may see a broken connection instead.
 */
const patience = 4;

/**
 * Reads the whole of a small body.
 * @param limit bytes
 * @throws RegistryError SIZE_LIMIT, or REQUEST_INVALID where it breaks off
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = new RegistryError('SIZE_LIMIT', `at most ${limit} bytes are taken here`);
  if (Number(request.headers['content-length']) > patience * limit) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    const body = welcomeBody(request).iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > patience * limit) break;
      if (size <= limit) chunks.push(chunk);
      else chunks.length = 0;
    }
  } catch (cause) {
    throw new RegistryError('REQUEST_INVALID', 'the request broke off', { cause });
  }
  if (size > limit) throw tooLarge;
  return Buffer.concat(chunks, size);
}
