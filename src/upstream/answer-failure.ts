import { RegistryError } from '../oci/errors.ts';
import type { AnswerHead } from './answer-check.ts';
import { statusError } from './failure.ts';
import { discard, readBody, type Answer, type OutgoingRequest } from './transport.ts';

/** Bytes of an error's body that are read for its message. */
const maxErrorBody = 65_536;

/** Status, headers and origin of an answer. */
export function headOf(answer: Answer, upstream: string): AnswerHead {
  return { status: answer.status, headers: answer.headers, upstream, host: answer.url.host };
}

/**
 * The error that an answer of an unwanted status means; uses up its body.
 * @param subject what was asked for, such as `library/alpine:3`
 * @throws the signal's reason
 */
export async function answerFailure(
  answer: Answer,
  { kind, method }: OutgoingRequest,
  upstream: string,
  subject: string,
  signal: AbortSignal,
): Promise<RegistryError> {
  const body = method === 'HEAD' ? nothingOf(answer) : await readError(answer, upstream, signal);
  return statusError({ ...headOf(answer, upstream), kind, subject, body }, Date.now());
}

function nothingOf(answer: Answer): Buffer {
  discard(answer);
  return Buffer.alloc(0);
}

/** The status is what counts: a body that is too long or breaks off is no failure of its own. */
async function readError(answer: Answer, upstream: string, signal: AbortSignal): Promise<Buffer> {
  try {
    return await readBody(answer, maxErrorBody, upstream, signal);
  } catch {
    signal.throwIfAborted();
    return Buffer.alloc(0);
  }
}
