/**
 * Every way a request can fail, in one table: the code on the wire, the HTTP status, and the
 * message used when the thrower has nothing better to say.
 *
 * The codes without a comment are those of the OCI Distribution specification, "Error Codes".
 */
const table = {
  BLOB_UNKNOWN: [404, 'blob unknown to registry'],
  BLOB_UPLOAD_INVALID: [400, 'blob upload invalid'],
  BLOB_UPLOAD_UNKNOWN: [404, 'blob upload unknown to registry'],
  DENIED: [403, 'requested access to the resource is denied'],
  DIGEST_INVALID: [400, 'provided digest is not a valid digest'],
  MANIFEST_BLOB_UNKNOWN: [404, 'manifest references a blob unknown to registry'],
  MANIFEST_INVALID: [400, 'manifest invalid'],
  MANIFEST_UNKNOWN: [404, 'manifest unknown to registry'],
  NAME_INVALID: [400, 'invalid repository name'],
  NAME_UNKNOWN: [404, 'repository name not known to registry'],
  SIZE_INVALID: [400, 'provided length did not match content length'],
  TOOMANYREQUESTS: [429, 'too many requests'],
  UNAUTHORIZED: [401, 'authentication required'],
  UNSUPPORTED: [405, 'the operation is unsupported'],
  /** Codes that CNCF distribution adds and Docker clients know. */
  TAG_INVALID: [400, 'invalid tag'],
  PAGINATION_NUMBER_INVALID: [400, 'invalid number of results requested'],
  RANGE_INVALID: [416, 'requested range not satisfiable'],
  REQUEST_INVALID: [400, 'bad request'],
  /** Of what is pushed; the specification has the status, "Pushing Manifests", and no code for it. */
  SIZE_LIMIT: [413, 'larger than this registry takes'],
  /** Of a file full of images that is imported: it is not what it should be, … */
  BUNDLE_INVALID: [400, 'the bundle is not right'],
  /** … lacks what is not stored here either, … */
  BUNDLE_INCOMPLETE: [409, 'the bundle needs what is neither in it nor stored here'],
  /** … or nobody who is trusted here vouches for it. */
  BUNDLE_UNTRUSTED: [403, 'the bundle is not signed with a trusted key'],
  UNAVAILABLE: [503, 'service unavailable'],
  UNKNOWN: [500, 'unknown error'],
  /**
   * What an upstream did to us. A client's 404 or 401 comes from the codes above; these tell an
   * operator at once that the fault is on the far side.
   */
  UPSTREAM_DENIED: [403, 'the upstream registry denied access'],
  UPSTREAM_INVALID: [502, 'the upstream registry sent an invalid answer'],
  UPSTREAM_OFFLINE: [404, 'not in the cache, and the upstream is configured offline'],
  UPSTREAM_TIMEOUT: [504, 'the upstream registry did not answer in time'],
  UPSTREAM_UNAVAILABLE: [503, 'the upstream registry is unavailable'],
} as const satisfies Record<string, readonly [status: number, message: string]>;

/** A code from the one error table. */
export type ErrorCode = keyof typeof table;

export interface RegistryErrorOptions {
  /** Anything JSON can hold; sent to the client, so never a secret. */
  readonly detail?: unknown;
  /** The failure behind this one; logged, never sent. */
  readonly cause?: unknown;
  /** Seconds after which another try makes sense; sent as `Retry-After`. */
  readonly retryAfter?: number;
  /** The status the upstream answered with, where that is what failed. */
  readonly upstreamStatus?: number;
  /** Host and port of whoever failed, where one did: the upstream itself, its token server, or where it redirected to. */
  readonly upstreamHost?: string | undefined;
  /** The code that clients are told in place of this one: many act by the specification's own alone. */
  readonly toldAs?: ErrorCode | undefined;
}

/** The one error class: a code that knows its HTTP status, and a message fit for a client. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: ErrorCode;
  readonly detail: unknown;
  readonly retryAfter: number | undefined;
  readonly upstreamStatus: number | undefined;
  readonly upstreamHost: string | undefined;
  readonly toldAs: ErrorCode | undefined;

  constructor(code: ErrorCode, message?: string, options: RegistryErrorOptions = {}) {
    super(
      message ?? table[code][1],
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.detail = options.detail;
    this.retryAfter = options.retryAfter;
    this.upstreamStatus = options.upstreamStatus;
    this.upstreamHost = options.upstreamHost;
    this.toldAs = options.toldAs;
  }

  /** The HTTP status this error is answered with. */
  get status(): number {
    return table[this.code][0];
  }

  /** The body of the specification, "Error Codes": `{"errors":[{code,message,detail?}]}`. */
  toJSON(): { errors: [{ code: ErrorCode; message: string; detail?: unknown }] } {
    const { message, detail } = this;
    const code = this.toldAs ?? this.code;
    return { errors: [detail === undefined ? { code, message } : { code, message, detail }] };
  }
}

/** Narrows an unknown failure to a {@link RegistryError} with one of the given codes, or any. */
export function isRegistryError(error: unknown, ...codes: ErrorCode[]): error is RegistryError {
  return error instanceof RegistryError && (codes.length === 0 || codes.includes(error.code));
}

/** Turns anything thrown into a {@link RegistryError}; what is unknown becomes UNKNOWN, its text kept as the cause. */
export function toRegistryError(error: unknown): RegistryError {
  return error instanceof RegistryError
    ? error
    : new RegistryError('UNKNOWN', undefined, { cause: error });
}
