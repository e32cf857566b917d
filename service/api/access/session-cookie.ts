import type { FastifyReply, FastifyRequest } from "fastify";
import { PerchError } from "../../kernel/errors.ts";
import { csrfFits, LONGEST } from "./sessions.ts";

/**
 * The cookie of a login. No script can read it, no other site's page sends it, and under TLS its name binds it to
 * this very host (RFC 6265bis, 4.1.3.2).
 */
export class SessionCookie {
  readonly name: string;

  constructor(private readonly secure: boolean) {
    this.name = secure ? "__Host-perch_session" : "perch_session";
  }

  read({ headers: { cookie = "" } }: FastifyRequest): string | undefined {
    const begin = `${this.name}=`;
    const pair = cookie.split(";").find((one) => one.trim().startsWith(begin));
    return pair?.trim().slice(begin.length);
  }

  set(reply: FastifyReply, secret: string): void {
    this.send(reply, secret, LONGEST / 1000);
  }

  clear(reply: FastifyReply): void {
    this.send(reply, "", 0);
  }

  private send(reply: FastifyReply, value: string, seconds: number): void {
    const secure = this.secure ? "; Secure" : "";
    reply.header(
      "set-cookie",
      `${this.name}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`,
    );
  }
}

/** Methods that change nothing. */
const SAFE = new Set(["GET", "HEAD"]);
export const changesNothing = ({ method }: FastifyRequest): boolean => SAFE.has(method);

/**
 * Whether a browser says that a page of another origin sent this: another site, or another port of this host, which
 * SameSite lets through. Programs that are no browsers say nothing of the kind.
 */
export function fromElsewhere({ headers, host }: FastifyRequest): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  const { origin } = headers;
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host.toLowerCase());
}

/** Throws FORBIDDEN where a page of another origin sends this. */
export function refuseElsewhere(request: FastifyRequest): void {
  if (fromElsewhere(request))
    throw new PerchError("FORBIDDEN", "this comes from a page that is not this service's own");
}

/** Throws FORBIDDEN where a change that comes with a login's cookie may have been made up by a page of another origin. */
export function refuseForged(request: FastifyRequest, secret: string): void {
  refuseElsewhere(request);
  if (!csrfFits(secret, request.headers["x-csrf-token"]))
    throw new PerchError(
      "FORBIDDEN",
      "with a login's cookie this takes the header x-csrf-token: GET /api/session says which",
    );
}
