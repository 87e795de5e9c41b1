import type { RequestHandler } from 'express';
import { commonHeaders } from './headers.ts';
import type { ContextResponse } from './request-context.ts';

const empty = Buffer.from('{}');
const welcome = Buffer.from(
  'Baleen: a pull-through cache and registry for container images.\nThe registry API is at /v2/.\n',
);

/** `GET /v2/`: yes, this is a registry (distribution specification, "Determining Support"). */
export const getBase: RequestHandler = (request, response) => {
  const { context } = (response as unknown as ContextResponse).locals;
  const headers = commonHeaders(request, context);
  headers['Content-Type'] = 'application/json';
  headers['Content-Length'] = empty.length;
  if (request.method !== 'HEAD') context.bytes = empty.length;
  response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : empty);
};

/** `GET /`: for a person who opened the address in a browser. */
export const getWelcome: RequestHandler = (request, response) => {
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': welcome.length,
  });
  response.end(request.method === 'HEAD' ? undefined : welcome);
};
