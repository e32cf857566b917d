import Type, { type Static } from "typebox";
import { Id } from "./units.ts";

const closed = { additionalProperties: false };

/**
 * Who a token stands for. Of admin, operator and viewer each may what the next one may; kiosk and api stand apart:
 * a kiosk is one screen for the public, api a program that asks the model.
 */
export const ROLES = ["admin", "operator", "viewer", "kiosk", "api"] as const;
export const Role = Type.Enum([...ROLES]);
export type Role = Static<typeof Role>;

/** Lanes that a program with a token of the role api can be given. */
export const API_LANES = ["api", "batch"] as const;
export type ApiLane = (typeof API_LANES)[number];

/** A token as the data folder holds it: all but the secret. */
export const StoredToken = Type.Object(
  {
    id: Type.String({ pattern: "^[0-9a-f]{8}$", description: "Stands in the token; no secret." }),
    name: Id("What people call it."),
    role: Role,
    hash: Type.String({ pattern: "^[0-9a-f]{64}$", description: "sha256 of the secret, hexadecimal." }),
    created: Type.String({ description: "ISO 8601 in UTC." }),
    by: Type.String({ description: "User of the operating system who made it." }),
    expires: Type.Union([Type.String(), Type.Null()], {
      description: "ISO 8601 in UTC. Null: by itself never.",
    }),
    kiosk: Type.Optional(Id("With the role kiosk: the one kiosk that it is for.")),
    lane: Type.Optional(Type.Enum([...API_LANES], { description: "With the role api: its lane." })),
    rate: Type.Optional(
      Type.Object(
        {
          count: Type.Integer({ minimum: 1, description: "Requests that may come within `per`." }),
          per: Type.Integer({ minimum: 1, description: "Ms." }),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type StoredToken = Static<typeof StoredToken>;
export type Rate = NonNullable<StoredToken["rate"]>;

const PERIODS = { s: 1000, min: 60_000, h: 3_600_000 } as const;
const RATE = /^([1-9]\d{0,5})\/(s|min|h)$/;

/** "5/s", "60/min" or "1000/h"; undefined where the text is none of these. */
export function parseRate(text: string): Rate | undefined {
  const match = RATE.exec(text);
  return match ? { count: Number(match[1]), per: PERIODS[match[2] as keyof typeof PERIODS] } : undefined;
}

/** A rate as parseRate reads it. */
export function rateText({ count, per }: Rate): string {
  const unit = Object.entries(PERIODS).find(([, ms]) => ms === per)?.[0];
  return unit === undefined ? `${count} in ${per} ms` : `${count}/${unit}`;
}

/** Who sends a request. */
export interface Caller {
  /** The token's or the account's name; "admin.token" for the token in the data folder. */
  readonly name: string;
  readonly role: Role;
  /** Null for admin.token and for accounts. */
  readonly tokenId: string | null;
  /** Id of the login, where it is an account. */
  readonly session?: string;
  /** The other end's address. */
  readonly from: string;
  /** The kiosk that the token is bound to. */
  readonly kiosk?: string;
  readonly lane?: ApiLane;
}

/** One change, or one that was asked for and refused. */
export interface AuditRow {
  /** Epoch ms. */
  readonly at: number;
  /** The token's name, "account NAME", or the operating system's user. */
  readonly who: string;
  /** Null where no token shows one: MQTT. */
  readonly role: Role | null;
  /** An address, "mqtt" or "command line". */
  readonly from: string;
  readonly what: string;
  /** "done", or why it was refused. */
  readonly outcome: string;
}
