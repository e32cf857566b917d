import { createHash } from "node:crypto";
import type { FastifyReply } from "fastify";

/** One file of HTML that runs its own script and nobody else's. */
export interface SealedPage {
  readonly html: string;
  /** Allows the page's own script and style, by their hashes, and nothing else. */
  readonly policy: string;
}

interface Parts {
  readonly title: string;
  readonly style: string;
  readonly script: string;
  /** What stands in the body before the script. */
  readonly body: string;
  /** Further elements of the head. */
  readonly head?: string;
  /** Where pictures may come from, as the policy names it; without it there are none. */
  readonly images?: string;
}

/** A page that needs nothing from elsewhere. What it shows of others' words its script has to set as text. */
export function sealedPage({ title, style, script, body, head = "", images }: Parts): SealedPage {
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${head}<title>${title}</title>
<style>${style}</style>
${body}
<script>${script}</script>
</html>
`;
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self'",
    ...(images === undefined ? [] : [`img-src ${images}`]),
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return { html, policy };
}

export function sendPage(reply: FastifyReply, { html, policy }: SealedPage): FastifyReply {
  return reply
    .header("content-security-policy", policy)
    .header("cache-control", "no-store")
    .type("text/html; charset=utf-8")
    .send(html);
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

/** Of every page's script: finding an element, and asking the service. Rejects where the box does not answer. */
export const ASKING = `
  const byId = (id) => document.getElementById(id);
  const PATIENCE = 20_000;
  async function ask(method, path, body, csrf) {
    const headers = { ...(body && { "content-type": "application/json" }), ...(csrf && { "x-csrf-token": csrf }) };
    const sent = { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) };
    const answer = await fetch(path, sent);
    const said = answer.status === 204 ? {} : await answer.json();
    return { ok: answer.ok, status: answer.status, said, date: answer.headers.get("date") };
  }
`;
