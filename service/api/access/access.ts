import type { FastifyReply, FastifyRequest } from "fastify";
import type { AuditRow, Caller, Role, StoredToken } from "../../contract/access.ts";
import type { Clock } from "../../kernel/clock.ts";
import { PerchError } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { Api } from "../server.ts";
import type { AdminToken } from "./admin-token.ts";
import { hostFault } from "./hosts.ts";
import { AttemptLimit, MOST_WRONG, RateLimits } from "./limits.ts";
import { type Ability, RIGHTS, type Right } from "./rights.ts";
import { changesNothing, fromElsewhere, refuseForged } from "./session-cookie.ts";
import type { SignIn } from "./sign-in.ts";
import type { Tokens } from "./tokens.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Null: no token was shown. */
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    /** Answers anybody, on the LAN too. */
    open?: boolean;
    /** What a caller has to be allowed to do; shown in the API's description. */
    ability?: Ability;
  }
}

type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

interface Options {
  readonly admin: AdminToken;
  readonly tokens: Tokens;
  /** Logins of people; without it there are none. */
  readonly signIn?: SignIn;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether other machines can reach the service: then everything but /health/live needs a token. */
  readonly lan: boolean;
  /** Names under which the LAN may ask. */
  readonly names: readonly string[];
}

/**
 * Tells who sends each request, and refuses those that may not. What refuses is a PerchError thrown before any
 * body is read, so that each part of the API answers it in its own form, with the error handler of its own
 * Fastify context.
 */
export class Access {
  private readonly attempts: AttemptLimit;
  private readonly rates: RateLimits;

  constructor(private readonly options: Options) {
    this.attempts = new AttemptLimit(options.clock);
    this.rates = new RateLimits(options.clock);
  }

  /**
   * Before any route is added: `request.caller` is there for all of them. Throws where one is added that says neither
   * whom it takes nor that it takes everybody.
   */
  install(app: Api): void {
    const { lan, names } = this.options;
    app.decorateRequest("caller", null);
    app.addHook("onRoute", ({ method, url, config }) => {
      if (config?.ability === undefined && config?.open !== true)
        throw new Error(`${method} ${url} is nobody's: declare it with access.guarded(...), or as open`);
    });
    app.addHook("onRequest", async (request, reply) => {
      const fault = hostFault(request.host, lan, names);
      if (fault !== undefined) throw new PerchError("FORBIDDEN", fault);
      request.caller = this.callerOf(request, reply);
      if (lan && !request.caller && request.routeOptions.config.open !== true) throw missing(reply);
    });
  }

  /** The guard of a route, as its onRequest: lets through who may do that. */
  allow(ability: Ability): Guard {
    const { roles, by }: Right = RIGHTS[ability];
    const known = requireRole(...roles);
    return async (request, reply) => {
      const { caller } = request;
      if (!caller && this.isOpen(ability)) return;
      await known(request, reply);
      if (caller && by !== undefined) refuseOther(caller, by);
    };
  }

  /** Whether somebody may do that. */
  may(caller: Caller | null, ability: Ability): boolean {
    const { roles }: Right = RIGHTS[ability];
    return caller ? roles.includes(caller.role) : this.isOpen(ability);
  }

  /** Whether here it takes neither token nor login. Who shows one is held to its role all the same. */
  isOpen(ability: Ability): boolean {
    return RIGHTS[ability].openOnLoopback && !this.options.lan;
  }

  /** What a route is declared with that only those may use who may do that. */
  guarded(ability: Ability): { onRequest: Guard; config: { ability: Ability } } {
    return { onRequest: this.allow(ability), config: { ability } };
  }

  /** Whether who asked still counts, for an answer that goes on for hours. It is no request: no limit counts it, and no login lasts longer for it. */
  still(request: FastifyRequest): boolean {
    const { caller } = request;
    if (!caller) return true;
    const { admin, tokens, signIn, clock } = this.options;
    if (caller.session !== undefined)
      return (
        signIn?.accounts.find(caller.name)?.role === caller.role &&
        signIn.sessions.of(caller.name).some(({ id }) => id === caller.session)
      );
    const shown = shownBy(request) ?? "";
    return admin.matches(shown) || "token" in tokens.find(shown, clock.now());
  }

  private callerOf(request: FastifyRequest, reply: FastifyReply): Caller | null {
    const shown = shownBy(request);
    if (shown === undefined) return this.loggedIn(request);
    const { admin, tokens, clock } = this.options;
    const from = request.ip;
    // Before the limits: whoever may read the data folder is never locked out by others.
    if (admin.matches(shown)) return { name: "admin.token", role: "admin", tokenId: null, from };
    const locked = this.attempts.wait(from);
    if (locked > 0) throw later(reply, locked, `too many wrong tokens came from ${from}`);
    const found = tokens.find(shown, clock.now());
    if ("unknown" in found) throw this.wrong(from, reply);
    // Nobody guesses an expired token: it does not count as wrong.
    if ("expired" in found)
      throw refused(
        reply,
        `the token ${found.expired.name} expired at ${found.expired.expires}: ask for a new one`,
      );
    this.limit(found.token, reply);
    return callerWith(found.token, from);
  }

  /** Whose login the cookie shows. Where anybody may ask it does not matter, and what other pages send does not count. */
  private loggedIn(request: FastifyRequest): Caller | null {
    const { signIn } = this.options;
    const secret = signIn?.cookie.read(request);
    if (!signIn || secret === undefined || request.routeOptions.config.open === true) return null;
    if (changesNothing(request) && fromElsewhere(request)) return null;
    const login = signIn.sessions.find(secret);
    if (!login) return null;
    if (!changesNothing(request)) refuseForged(request, secret);
    const { account, session } = login;
    return { name: account.name, role: account.role, tokenId: null, session: session.id, from: request.ip };
  }

  private wrong(from: string, reply: FastifyReply): PerchError {
    if (this.attempts.failed(from))
      this.options.logger.warn(
        { part: "api" },
        `${MOST_WRONG} wrong tokens came from ${from} within a minute: it has to wait for one`,
      );
    return refused(
      reply,
      "this token is not known: it is wrong, or was revoked (perch token list shows those that count)",
    );
  }

  private limit({ id, name, rate }: StoredToken, reply: FastifyReply): void {
    const wait = rate === undefined ? 0 : this.rates.take(id, rate);
    if (wait > 0) throw later(reply, wait, `the token ${name} has used up its rate`);
  }
}

/** Who asks for a change, as the audit names them. Throws where nobody says who they are. */
export function changer(caller: Caller | null): Pick<AuditRow, "who" | "role" | "from"> {
  if (!caller) throw new PerchError("TOKEN_REFUSED", "this needs a token");
  const { name, session } = caller;
  // An account and a token may have the same name.
  return { who: session === undefined ? name : `account ${name}`, role: caller.role, from: caller.from };
}

/** A guard that lets these roles through, as a route's onRequest or preHandler. 401 without a token, 403 with another's. */
export function requireRole(...roles: readonly Role[]): Guard {
  return async ({ caller }, reply) => {
    if (!caller) throw missing(reply);
    if (roles.includes(caller.role)) return;
    throw new PerchError(
      "FORBIDDEN",
      `the ${caller.session === undefined ? "token" : "account"} ${caller.name} has the role ${caller.role}; this takes ${roles.join(" or ")}`,
    );
  };
}

function refuseOther({ name, session }: Caller, by: "token" | "login"): void {
  if (by === "token" && session !== undefined)
    throw new PerchError(
      "FORBIDDEN",
      `the account ${name} is logged in by a cookie, which does not count here: this takes a token of its own, as Authorization: Bearer; perch token create makes one`,
    );
  if (by === "login" && session === undefined)
    throw new PerchError(
      "REQUEST_INVALID",
      "this is for who logged in with a password; a token has neither login nor password",
    );
}

/** What a request shows as its token: Authorization: Bearer, or x-api-key, as some clients of models have it. Never the URL: it stands in logs and histories. */
function shownBy({ headers }: FastifyRequest): string | undefined {
  const { authorization, "x-api-key": key } = headers;
  if (authorization !== undefined) return /^bearer +(\S+)$/i.exec(authorization.trim())?.[1] ?? "";
  return Array.isArray(key) ? key[0] : key;
}

function callerWith({ name, role, id, kiosk, lane }: StoredToken, from: string): Caller {
  return {
    ...{ name, role, tokenId: id, from },
    ...(kiosk !== undefined && { kiosk }),
    ...(lane !== undefined && { lane }),
  };
}

function missing(reply: FastifyReply): PerchError {
  return refused(
    reply,
    "this needs a token, as Authorization: Bearer, or a login at /login; perch token create makes a token, and admin.token of the data folder is one",
  );
}

function refused(reply: FastifyReply, message: string): PerchError {
  reply.header("www-authenticate", 'Bearer realm="perch"');
  return new PerchError("TOKEN_REFUSED", message);
}

/** Of a limit: when to come again. */
export function later(reply: FastifyReply, ms: number, why: string): PerchError {
  const seconds = Math.ceil(ms / 1000);
  reply.header("retry-after", String(seconds));
  return new PerchError("RATE_EXCEEDED", `${why}: try again in ${seconds} s`);
}
