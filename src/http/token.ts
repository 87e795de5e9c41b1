import express, {
  Router,
  type ErrorRequestHandler,
  type RequestHandler,
  type Request,
  type Response,
} from 'express';
import type { Presented } from '../access/authenticator.ts';
import { parseScope } from '../access/scope.ts';
import { RegistryError, toRegistryError } from '../oci/errors.ts';
import { tokenPath, type Accounts, type GrantedToken } from './accounts.ts';
import { presentedBy } from './presented.ts';
import type { ContextResponse } from './request-context.ts';

/** Bytes of a form: a password may be a token itself. */
const maxForm = 32 * 1024;

/**
 * The token endpoint: `GET` with Basic or nothing (distribution's token specification; docker,
 * podman, skopeo), and `POST` of a form (its OAuth2 variant; containerd tries it first).
 */
export function createTokenEndpoint(accounts: Accounts): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.get(tokenPath, giveToken(accounts));
  router.post(
    tokenPath,
    express.urlencoded({ extended: false, limit: maxForm, parameterLimit: 200 }),
    giveTokenForForm(accounts),
    refuseForm,
  );
  return router;
}

function giveToken(accounts: Accounts): RequestHandler {
  return async (request, response) => {
    const start = request.url.indexOf('?');
    const query = new URLSearchParams(start < 0 ? '' : request.url.slice(start + 1));
    const scope = parseScope(query.getAll('scope'));
    assertService(accounts, query.get('service'));
    sendToken(request, response, await accounts.issue(presentedBy(request), scope));
  };
}

/** RFC 6749, section 4.3: the password grant. There are no refresh tokens here, so no other one. */
function giveTokenForForm(accounts: Accounts): RequestHandler {
  return async (request, response) => {
    const form = new Map(Object.entries(Object(request.body) as Record<string, unknown>));
    const field = (name: string): string => [form.get(name)].flat().map(String).join(' ');
    if (!form.has('grant_type')) throw new FormError('invalid_request', 'grant_type is missing');
    if (field('grant_type') !== 'password') {
      throw new FormError('unsupported_grant_type', 'only the password grant is supported');
    }
    if (!form.has('username') || !form.has('password')) {
      throw new FormError('invalid_request', 'username or password is missing');
    }
    const scope = parseScope(form.has('scope') ? [field('scope')] : []);
    assertService(accounts, form.has('service') ? field('service') : null);
    const presented = withPassword(request, field('username'), field('password'));
    sendToken(request, response, await accounts.issue(presented, scope));
  };
}

/** One answer for both: each kind of client finds what it looks for. */
function sendToken(request: Request, response: Response, granted: GrantedToken): void {
  const { token, expiresIn, issuedAt, caller } = granted;
  (response as unknown as ContextResponse).locals.context.caller = caller;
  send(request, response, 200, {
    token,
    access_token: token,
    token_type: 'Bearer',
    expires_in: expiresIn,
    issued_at: issuedAt.toISOString(),
  });
}

/** What a form says, as a header would. */
function withPassword(request: Request, username: string, password: string): Presented {
  const pair = Buffer.from(`${username}:${password}`).toString('base64');
  return { ...presentedBy(request), authorization: `Basic ${pair}` };
}

/** A token is for one service; a client that wants another one's is in the wrong place. */
function assertService({ service }: Accounts, wanted: string | null): void {
  if (wanted === null || wanted === '' || wanted === service) return;
  throw new RegistryError('REQUEST_INVALID', `tokens of this service are for ${service}`);
}

/** A failure that OAuth2 has a word for (RFC 6749, section 5.2). */
class FormError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Answers as OAuth2 has it. What Express' reader of forms throws knows its own status. */
const refuseForm: ErrorRequestHandler = (thrown: unknown, request, response, next) => {
  const { status, expose } = Object(thrown) as { status?: unknown; expose?: unknown };
  if (thrown instanceof FormError) {
    send(request, response, 400, { error: thrown.code, error_description: thrown.message });
  } else if (typeof status === 'number' && expose === true) {
    send(request, response, status, {
      error: 'invalid_request',
      error_description: (thrown as Error).message,
    });
  } else {
    const error = toRegistryError(thrown);
    if (error.code !== 'UNAUTHORIZED') {
      next(thrown);
      return;
    }
    (response as unknown as ContextResponse).locals.context.error = error;
    // 401, not 400: containerd goes on with GET then, as it does with registries that know no forms.
    send(request, response, error.status, {
      error: 'invalid_grant',
      error_description: error.message,
    });
  }
};

/** RFC 6749, section 5.1: nobody may keep it. */
function send(request: Request, response: Response, status: number, value: unknown): void {
  const { context } = (response as unknown as ContextResponse).locals;
  const bytes = Buffer.from(JSON.stringify(value));
  context.bytes = bytes.length;
  response.writeHead(status, {
    'X-Request-Id': context.id,
    'Content-Type': 'application/json',
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
