import type { Api } from "./server.ts";

/** For a page that says nothing of its own: it runs no script, loads nothing from elsewhere, and no page frames it. */
const QUIET = [
  "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'",
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
].join("; ");

/** On every answer; what goes past Fastify's hooks, as streams do, sets them by itself. */
export const ON_EVERY_ANSWER = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
} as const;

/**
 * What every answer tells browsers: to take it for what it says it is, to show it in no other site's page, and to
 * tell no other site where one was. There is no CORS: no other page may read an answer.
 */
export function securityHeaders(app: Api): void {
  app.addHook("onSend", async (_request, reply) => {
    reply.headers(ON_EVERY_ANSWER);
    if (!String(reply.getHeader("content-type") ?? "").startsWith("text/html")) return;
    reply.header("x-frame-options", "DENY");
    reply.header("cross-origin-opener-policy", "same-origin");
    if (!reply.hasHeader("content-security-policy")) reply.header("content-security-policy", QUIET);
  });
}
