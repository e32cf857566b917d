import type { FastifyReply, FastifyRequest } from "fastify";
import Type from "typebox";
import type { Caller } from "../../contract/access.ts";
import { LoginRequest, PasswordChange, SessionView, SetupRequest } from "../../contract/accounts.ts";
import { Refusal } from "../../contract/api.ts";
import { iso } from "../../kernel/clock.ts";
import { PerchError } from "../../kernel/errors.ts";
import { type Access, changer, later } from "../access/access.ts";
import type { Audit } from "../access/audit.ts";
import { refuseElsewhere } from "../access/session-cookie.ts";
import { csrfOf, LONGEST } from "../access/sessions.ts";
import type { Entered, SignIn } from "../access/sign-in.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";

interface Options {
  readonly signIn: SignIn;
  readonly access: Access;
  readonly audit: Audit;
}

/** The same with the cookie, which is a header of the answer. */
const EnteredView = Type.Object(SessionView.properties, {
  headers: { "set-cookie": { type: "string", description: "The cookie of the login." } },
});
const Refused = Type.Object(Refusal.properties, { description: "The name or the password is wrong." });

/** Logging in and out, who one is, and one's own password. */
export function sessionRoutes(app: Api, { signIn, access, audit }: Options): void {
  const desk = new SessionDesk(signIn, audit);
  app.post(
    "/api/session",
    {
      config: { open: true },
      schema: {
        ...described("access", "Log in: sets the cookie of the login"),
        body: LoginRequest,
        response: { 200: EnteredView, 401: Refused },
      },
    },
    (request, reply) => desk.login(request, reply, request.body),
  );
  app.get(
    "/api/session",
    {
      ...access.guarded("session.read"),
      schema: { ...described("access", "Who one is"), response: { 200: SessionView } },
    },
    (request, reply) => desk.view(request, reply),
  );
  app.delete(
    "/api/session",
    {
      ...access.guarded("session.change"),
      schema: { ...described("access", "Log out"), response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      desk.logout(request, reply);
      return reply.code(204).send(null);
    },
  );
  app.put(
    "/api/session/password",
    {
      ...access.guarded("session.change"),
      schema: {
        ...described("access", "A new password of one's own; one's other logins end"),
        body: PasswordChange,
        response: { 200: EnteredView },
      },
    },
    (request, reply) => desk.changePassword(request, reply, request.body),
  );
  app.post(
    "/api/setup",
    {
      config: { open: true },
      schema: {
        ...described("access", "Make the first admin, with the link that the service printed, and log in"),
        body: SetupRequest,
        response: { 200: EnteredView },
      },
    },
    (request, reply) => desk.setUp(request, reply, request.body),
  );
}

class SessionDesk {
  constructor(
    private readonly signIn: SignIn,
    private readonly audit: Audit,
  ) {}

  async login(
    request: FastifyRequest,
    reply: FastifyReply,
    { name, password }: { name: string; password: string },
  ): Promise<SessionView> {
    // Another site must not log a browser in as somebody else, unnoticed.
    refuseElsewhere(request);
    this.refuseTooMany(name, request, reply);
    return this.entered(await this.signIn.login(name, password, request.ip), request, reply, "log in");
  }

  async setUp(
    request: FastifyRequest,
    reply: FastifyReply,
    wish: { token: string; name: string; password: string },
  ): Promise<SessionView> {
    refuseElsewhere(request);
    const entered = await this.signIn.setUp(wish, request.ip);
    return this.entered(entered, request, reply, `account add ${entered.account.name} (admin), the first`);
  }

  async view(request: FastifyRequest, reply: FastifyReply): Promise<SessionView> {
    const caller = loggedIn(request.caller);
    reply.header("cache-control", "no-store");
    const secret = this.signIn.cookie.read(request);
    const login = secret === undefined ? undefined : this.signIn.sessions.find(secret);
    const own = caller.session !== undefined && secret !== undefined && login !== undefined;
    return {
      ...{ name: caller.name, role: caller.role },
      csrf: own ? csrfOf(secret) : null,
      until: own ? iso(login.session.created + LONGEST) : null,
    };
  }

  logout(request: FastifyRequest, reply: FastifyReply): void {
    const { name } = loggedIn(request.caller);
    const { sessions, cookie } = this.signIn;
    sessions.end(...sessions.of(name).filter(({ id }) => id === request.caller?.session));
    cookie.clear(reply);
    this.audit.change(changer(request.caller), "log out", () => undefined);
  }

  async changePassword(
    request: FastifyRequest,
    reply: FastifyReply,
    wish: { current: string; password: string },
  ): Promise<SessionView> {
    const { name } = loggedIn(request.caller);
    this.refuseTooMany(name, request, reply);
    const change = () => this.signIn.changeOwn(name, wish, request.ip);
    const entered = await this.audit.change(changer(request.caller), `account password ${name}`, change);
    return this.shown(entered, reply);
  }

  private refuseTooMany(name: string, { ip }: FastifyRequest, reply: FastifyReply): void {
    const wait = this.signIn.wait(name, ip);
    if (wait > 0) throw later(reply, wait, "too many wrong passwords");
  }

  /** A browser has one login: nobody could end one whose cookie is overwritten. */
  private endEarlier(request: FastifyRequest): void {
    const { sessions, cookie } = this.signIn;
    const login = sessions.find(cookie.read(request) ?? "");
    if (login) sessions.end(login.session);
  }

  private entered(entered: Entered, request: FastifyRequest, reply: FastifyReply, what: string): SessionView {
    this.endEarlier(request);
    const { name, role } = entered.account;
    this.audit.change({ who: `account ${name}`, role, from: request.ip }, what, () => undefined);
    return this.shown(entered, reply);
  }

  private shown({ account, secret, session }: Entered, reply: FastifyReply): SessionView {
    this.signIn.cookie.set(reply, secret);
    reply.header("cache-control", "no-store");
    return {
      ...{ name: account.name, role: account.role },
      ...{ csrf: csrfOf(secret), until: iso(session.created + LONGEST) },
    };
  }
}

function loggedIn(caller: Caller | null): Caller {
  if (caller) return caller;
  throw new PerchError("TOKEN_REFUSED", "nobody is logged in");
}
