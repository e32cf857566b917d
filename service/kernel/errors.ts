/**
 * Every fault that Perch expects, by code. `retryable`: the same call may work later without anybody
 * changing anything. `status`: what HTTP answers for it.
 */
export const ERROR_CODES = {
  CONFIG_INVALID: { status: 400, retryable: false },
  REQUEST_INVALID: { status: 400, retryable: false },
  NOT_FOUND: { status: 404, retryable: false },
  CONFLICT: { status: 409, retryable: false },
  PRECONDITION_FAILED: { status: 412, retryable: false },
  RANGE_INVALID: { status: 416, retryable: false },
  TOKEN_INVALID: { status: 400, retryable: false },
  TOKEN_REFUSED: { status: 401, retryable: false },
  LOGIN_REFUSED: { status: 401, retryable: false },
  FORBIDDEN: { status: 403, retryable: false },
  RATE_EXCEEDED: { status: 429, retryable: true },
  SETUP_MISSING: { status: 500, retryable: false },
  PORT_TAKEN: { status: 500, retryable: true },
  DATA_LOCKED: { status: 500, retryable: false },
  DATA_UNWRITABLE: { status: 507, retryable: true },
  DATA_FULL: { status: 507, retryable: true },
  DATA_CORRUPT: { status: 500, retryable: false },
  DATA_NEWER: { status: 500, retryable: false },
  FEED_UNREACHABLE: { status: 503, retryable: true },
  FEED_INVALID: { status: 400, retryable: false },
  MEDIA_INVALID: { status: 400, retryable: false },
  MEDIA_TOO_LARGE: { status: 413, retryable: false },
  MODEL_MISSING: { status: 503, retryable: true },
  MODEL_CORRUPT: { status: 503, retryable: true },
  MODEL_UNREACHABLE: { status: 503, retryable: true },
  ENGINE_FAILED: { status: 503, retryable: true },
  ENGINE_MEMORY: { status: 503, retryable: true },
  ENGINE_UNAVAILABLE: { status: 503, retryable: true },
  ENGINE_REFUSED: { status: 400, retryable: false },
  ENGINE_POISON: { status: 500, retryable: false },
  ANSWER_INVALID: { status: 502, retryable: false },
  QUEUE_FULL: { status: 429, retryable: true },
  DEADLINE_PASSED: { status: 504, retryable: true },
  SUPERSEDED: { status: 409, retryable: false },
  CANCELLED: { status: 499, retryable: false },
  BROKER_UNREACHABLE: { status: 503, retryable: true },
  BROKER_REFUSED: { status: 503, retryable: true },
  SERVICE_UNREACHABLE: { status: 503, retryable: true },
  PROCESS_FAILED: { status: 500, retryable: true },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An expected fault: its message says what is wrong and what to do, in words for whoever runs the box. */
export class PerchError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "PerchError";
    this.code = code;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }
}

/** The message of whatever was thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

/** Whether it is an expected fault, of one of the codes if any are named. */
export function isPerchError(thrown: unknown, ...codes: ErrorCode[]): thrown is PerchError {
  return thrown instanceof PerchError && (codes.length === 0 || codes.includes(thrown.code));
}

/** The operating system's code of an error ("ENOENT"), or undefined. */
export function systemCode(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : undefined;
}
