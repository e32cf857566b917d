import Type from "typebox";
import { AccountChange, AccountView, AccountWish, type StoredAccount } from "../../contract/accounts.ts";
import type { Clock } from "../../kernel/clock.ts";
import { type Access, changer } from "../access/access.ts";
import type { Audit } from "../access/audit.ts";
import type { SignIn } from "../access/sign-in.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";

interface Options {
  readonly signIn: SignIn;
  readonly access: Access;
  readonly audit: Audit;
  readonly clock: Clock;
}

const params = Type.Object({ name: Type.String() });

/** Who may log in. */
export function accountRoutes(app: Api, { signIn, access, audit, clock }: Options): void {
  const { accounts, sessions } = signIn;
  const guarded = access.guarded("accounts");
  const viewOf = ({ name, role, created, by }: StoredAccount): AccountView => ({
    ...{ name, role, created, by },
    sessions: sessions.of(name).length,
  });
  app.get(
    "/api/accounts",
    {
      ...guarded,
      schema: {
        ...described("access", "Accounts"),
        response: { 200: Type.Object({ accounts: Type.Array(AccountView) }) },
      },
    },
    async () => ({ accounts: accounts.list().map(viewOf) }),
  );
  app.post(
    "/api/accounts",
    {
      ...guarded,
      schema: {
        ...described("access", "Make an account"),
        body: AccountWish,
        response: { 201: AccountView },
      },
    },
    async ({ body, caller }, reply) => {
      const by = changer(caller);
      const make = () => accounts.create({ ...body, by: by.who }, clock.now());
      const made = await audit.change(by, `account add ${body.name} (${body.role})`, make);
      reply.code(201);
      return viewOf(made);
    },
  );
  app.patch(
    "/api/accounts/:name",
    {
      ...guarded,
      schema: {
        ...described("access", "Change an account's role or password; a new password ends its logins"),
        params,
        body: AccountChange,
        response: { 200: AccountView },
      },
    },
    async ({ body, caller, params: { name } }) => {
      const what = [
        ...(body.role === undefined ? [] : [`role ${body.role}`]),
        ...(body.password === undefined ? [] : ["a new password"]),
      ].join(", ");
      const change = () => accounts.change(name, body);
      return viewOf(await audit.change(changer(caller), `account change ${name}: ${what}`, change));
    },
  );
  app.delete(
    "/api/accounts/:name",
    {
      ...guarded,
      schema: {
        ...described("access", "Remove an account; its logins end"),
        params,
        response: { 204: Type.Null() },
      },
    },
    async ({ caller, params: { name } }, reply) => {
      audit.change(changer(caller), `account remove ${name}`, () => accounts.remove(name));
      return reply.code(204).send(null);
    },
  );
}
