import Type, { type Static } from "typebox";
import { Role } from "./access.ts";
import { Id } from "./units.ts";

const closed = { additionalProperties: false };

/** Roles that a person can have; kiosk and api are for machines. */
export const ACCOUNT_ROLES = ["admin", "operator", "viewer"] as const;
export const AccountRole = Type.Enum([...ACCOUNT_ROLES], {
  description:
    "admin: everything. operator: commands and sees everything. viewer: sees, and changes nothing.",
});
export type AccountRole = Static<typeof AccountRole>;

/** Characters of a password. */
export const PASSWORD = { shortest: 12, longest: 256 } as const;

/** An account as the data folder holds it: accounts/NAME.json. */
export const StoredAccount = Type.Object(
  {
    name: Id("What one logs in with."),
    role: AccountRole,
    hash: Type.String({
      pattern:
        "^\\$argon2id\\$v=19\\$m=\\d{1,6},t=\\d{1,2},p=\\d\\$[A-Za-z0-9+/]{16,64}\\$[A-Za-z0-9+/]{43}$",
      description: "argon2id of the password, in PHC form.",
    }),
    stamp: Type.String({
      pattern: "^[0-9a-f]{16}$",
      description: "Changes with the password: sessions of another stamp are over.",
    }),
    created: Type.String({ description: "ISO 8601 in UTC." }),
    by: Type.String({ description: "Who made it." }),
  },
  closed,
);
export type StoredAccount = Static<typeof StoredAccount>;

/** A login as the data folder holds it: sessions/ID.json. The cookie's value stands nowhere. */
export const StoredSession = Type.Object(
  {
    id: Type.String({ pattern: "^[0-9a-f]{16}$", description: "First part of the hash." }),
    hash: Type.String({
      pattern: "^[0-9a-f]{64}$",
      description: "sha256 of the cookie's value, hexadecimal.",
    }),
    account: Id("Whose it is."),
    stamp: StoredAccount.properties.stamp,
    from: Type.String({ maxLength: 64, description: "Address that logged in." }),
    created: Type.Integer({ description: "Epoch ms." }),
    seen: Type.Integer({ description: "Epoch ms of its last use, to some minutes." }),
  },
  closed,
);
export type StoredSession = Static<typeof StoredSession>;

const Name = Id("Lower case letters, digits, - and _.");
/** Checked further by service/api/access/passwords.ts, which counts characters. */
const Password = (description: string) => Type.String({ maxLength: 2048, description });
const newPassword = `${PASSWORD.shortest} to ${PASSWORD.longest} characters.`;

export const LoginRequest = Type.Object(
  { name: Type.String({ maxLength: 100 }), password: Password("The account's password.") },
  closed,
);

export const SetupRequest = Type.Object(
  {
    token: Type.String({
      maxLength: 200,
      description: "What stands behind the # of the link that the service printed.",
    }),
    name: Name,
    password: Password(newPassword),
  },
  closed,
);

export const AccountWish = Type.Object(
  { name: Name, role: AccountRole, password: Password(newPassword) },
  closed,
);

export const AccountChange = Type.Object(
  { role: Type.Optional(AccountRole), password: Type.Optional(Password(newPassword)) },
  { ...closed, minProperties: 1 },
);

export const PasswordChange = Type.Object(
  { current: Password("The password until now."), password: Password(newPassword) },
  closed,
);

export const AccountView = Type.Object({
  name: Type.String(),
  role: AccountRole,
  created: Type.String({ description: "ISO 8601 in UTC." }),
  by: Type.String({ description: "Who made it." }),
  sessions: Type.Integer({ description: "Browsers that are logged in." }),
});
export type AccountView = Static<typeof AccountView>;

export const SessionView = Type.Object({
  name: Type.String({ description: "The account's name, or the token's." }),
  role: Role,
  csrf: Type.Union([Type.String(), Type.Null()], {
    description:
      "To be sent as x-csrf-token with everything but GET and HEAD. Null with a token, which needs none.",
  }),
  until: Type.Union([Type.String(), Type.Null()], {
    description: "ISO 8601: when the login ends at the latest. Null with a token.",
  }),
});
export type SessionView = Static<typeof SessionView>;
