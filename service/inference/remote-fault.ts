import { type ErrorCode, messageOf, PerchError, systemCode } from "../kernel/errors.ts";

/**
 * What went wrong at a server. `unreachable`: it never had the request. `busy`: it has no time for it now.
 * `denied`: it answers, but not us, or not with what was asked for; waiting does not mend that. `broken`: it had the
 * request and failed. `cannot`: it has no such ability. `refused`: the request's own fault. `senseless`: the model
 * wrote what its template cannot read. `cancelled`: whoever asked has gone.
 */
export type RemoteFaultKind =
  | "unreachable"
  | "busy"
  | "denied"
  | "broken"
  | "cannot"
  | "refused"
  | "senseless"
  | "cancelled";

const CODES: Record<RemoteFaultKind, ErrorCode> = {
  unreachable: "ENGINE_UNAVAILABLE",
  busy: "ENGINE_UNAVAILABLE",
  denied: "ENGINE_UNAVAILABLE",
  broken: "ENGINE_FAILED",
  cannot: "ENGINE_REFUSED",
  refused: "ENGINE_REFUSED",
  senseless: "ANSWER_INVALID",
  cancelled: "CANCELLED",
};

/** A fault of a server elsewhere; its message names no secret. */
export class RemoteFault extends PerchError {
  constructor(
    readonly kind: RemoteFaultKind,
    message: string,
    readonly more: {
      /** HTTP's. */
      readonly status?: number;
      /** Ms for which a busy server asked to be left alone. */
      readonly wait?: number;
      readonly cause?: unknown;
    } = {},
  ) {
    super(CODES[kind], message, more.cause);
    this.name = "RemoteFault";
  }
}

/** Longest time for which a server may ask to be left alone, ms. */
const LONGEST_WAIT = 300_000;
/** llama-server's words for an answer that it cannot read itself: nothing of the server failed. */
const NO_SENSE = /^(The model produced output that does not match|Failed to parse input)/;

/** What a status other than 200 means. `text`: the body's beginning; `retryAfter`: that header; `now`: epoch ms. */
export function statusFault(
  status: number,
  text: string,
  retryAfter: string | undefined,
  now: number,
): RemoteFault {
  const said = saidIn(text);
  const fault = (kind: RemoteFaultKind, message: string) => {
    const wait = kind === "busy" ? waitOf(retryAfter, now) : undefined;
    return new RemoteFault(kind, message, { status, ...(wait !== undefined && { wait }) });
  };
  const answered = `it answered HTTP ${status}${said === "" ? "" : `: ${said}`}`;
  if (status >= 300 && status < 400)
    return fault("denied", `${answered}; redirects are not followed, name the address itself`);
  switch (status) {
    case 401:
    case 403:
    case 407:
      return fault("denied", `it refuses the key: ${answered}`);
    case 404:
      return fault("denied", `the address or the model is not there: ${answered}`);
    case 405:
    case 501:
      return fault("cannot", answered);
    case 408:
    case 429:
    case 503:
    case 529:
      return fault("busy", answered);
  }
  if (status === 500 && NO_SENSE.test(said))
    return fault("senseless", "the model did not write what its template and the request ask for");
  if (status >= 400 && status < 500)
    // The words that a local engine's refusal has: what reads them further on knows them.
    return fault("refused", `the engine refused the request: ${said || `HTTP ${status}`}`);
  return fault("broken", answered);
}

/** The fault of a connection. `sent`: whether the server may have had the request. */
export function connectionFault(error: unknown, sent: boolean, signal: AbortSignal): RemoteFault {
  if (error instanceof RemoteFault) return error;
  if (signal.aborted)
    return signal.reason instanceof RemoteFault
      ? signal.reason
      : new RemoteFault("cancelled", "the request was given up", { cause: error });
  const code = systemCode(error) ?? "";
  const why = NETWORK[code] ?? (isTls(code) ? tlsText(code) : messageOf(error));
  return sent
    ? new RemoteFault("broken", `the connection to it broke: ${why}`, { cause: error })
    : new RemoteFault("unreachable", `it cannot be reached: ${why}`, { cause: error });
}

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens at its port",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name cannot be looked up now",
  EHOSTUNREACH: "there is no way to its address",
  ENETUNREACH: "there is no way to its network",
  ETIMEDOUT: "it does not answer",
  ECONNRESET: "it ended it without an answer",
  EPIPE: "it ended it without an answer",
  EPROTO: "it does not speak TLS there, or no version that is safe",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS there: is it http://?",
};

const isTls = (code: string): boolean =>
  /CERT|^ERR_(TLS|SSL)|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|^ERR_OSSL/.test(code);

function tlsText(code: string): string {
  if (code === "CERT_HAS_EXPIRED") return "its certificate has expired";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "its certificate is made out to another name";
  if (/SELF_SIGNED|UNABLE_TO/.test(code))
    return `its certificate is signed by nobody that is trusted (${code}): name its authority's PEM file as ca`;
  return `TLS failed (${code})`;
}

/** Ms of a Retry-After header, in seconds or as a date; undefined where there is none that can be read. */
export function waitOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(LONGEST_WAIT, Math.max(0, ms)) : undefined;
}

/** What a server says of an error, in OpenAI's form or vLLM's or none, on one line of at most 300 characters. */
export function saidIn(text: string): string {
  let said = text;
  try {
    const body = JSON.parse(text) as { error?: unknown; message?: unknown; detail?: unknown } | null;
    const inner = (body?.error as { message?: unknown } | undefined)?.message;
    said = [inner, body?.error, body?.message, body?.detail].find((one) => typeof one === "string") ?? text;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  // A page of HTML says nothing to anybody.
  if (/^\s*<(!doctype|html)/i.test(said)) return "";
  return said
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .slice(0, 300);
}
