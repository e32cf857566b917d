import Type, { type Static } from "typebox";
import { ImageShape, Ladder } from "./models.ts";
import { Id, Secret } from "./units.ts";

const closed = { additionalProperties: false };

/** One server elsewhere that speaks OpenAI's API. */
export const RemoteServerConfig = Type.Object(
  {
    id: Id("Name of the server, in what it answered and on /health."),
    url: Type.String({
      pattern: "^https?://[^@/?#\\s]+(/[^@?#\\s]*)?$",
      description: "http:// or https:// and host, with /v1 or without; no user or password in it.",
    }),
    model: Type.Optional(
      Type.String({
        pattern: "^[ -~]{1,200}$",
        description: "What the server calls the model; without it the first that it lists.",
      }),
    ),
    key: Type.Optional(Secret("The server's API key: ${env:NAME} or ${file:PATH}.")),
    ca: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "PEM file of the authority that signed the server's certificate; no other is trusted then.",
      }),
    ),
    cleartext: Type.Boolean({
      default: false,
      description:
        "true: http:// to another machine is right here. Pictures, sounds and the key then cross the network as they are.",
    }),
    slots: Type.Integer({
      minimum: 1,
      maximum: 256,
      default: 4,
      description: "Requests that this box has at the server at once.",
    }),
  },
  closed,
);
export type RemoteServerConfig = Static<typeof RemoteServerConfig>;

/** Servers elsewhere that answer instead of the model on this box, or what it has no time for. */
export const RemoteConfig = Type.Object(
  {
    mode: Type.Enum(["instead", "overflow"], {
      default: "overflow",
      description:
        "overflow: they get what the model on this box has no slot for, rests from, or cannot answer because no level runs. instead: no model is loaded here.",
    }),
    servers: Type.Array(RemoteServerConfig, { minItems: 1, maxItems: 32 }),
    image: Type.Optional(ImageShape),
    order: Type.Optional(
      Type.Enum(Ladder.properties.order.enum, {
        description:
          "As a ladder's: media-first is how some models must be asked. Without it as the ladder, with instead question-first.",
      }),
    ),
  },
  { ...closed, description: "Servers elsewhere; without it everything is answered on this box." },
);
export type RemoteConfig = Static<typeof RemoteConfig>;
