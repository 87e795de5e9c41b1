import type { Request, Response } from 'express';
import { commonHeaders } from './headers.ts';
import type { ContextResponse } from './request-context.ts';

/** Answers with a document, as it is: Express would put a charset behind its type. */
export function sendJson(
  request: Request,
  response: Response,
  value: unknown,
  contentType = 'application/json',
): void {
  const { context } = (response as unknown as ContextResponse).locals;
  const bytes = Buffer.from(JSON.stringify(value));
  response.writeHead(200, {
    ...commonHeaders(request, context),
    'Content-Type': contentType,
    'Content-Length': bytes.length,
  });
  if (request.method !== 'HEAD') context.bytes = bytes.length;
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
