import type { OpenAiFault } from "./fault.ts";

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
};

/** An error in Anthropic's form. It has no field for the place, which the message names. */
export function anthropicError({ status, message, more: { param } }: OpenAiFault): {
  type: "error";
  error: { type: string; message: string };
} {
  const type = TYPES[status] ?? (status < 500 ? "invalid_request_error" : "api_error");
  const told = param === undefined || param === "" || message.startsWith(param);
  return { type: "error", error: { type, message: told ? message : `${param}: ${message}` } };
}
