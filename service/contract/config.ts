import Type, { type Static } from "typebox";
import { BackupConfig } from "./config-backups.ts";
import { Feed } from "./config-feeds.ts";
import { Governor } from "./config-governor.ts";
import { RemoteConfig } from "./config-remote.ts";
import { Watch } from "./config-watches.ts";
import { Duration, Id, Secret, Size } from "./units.ts";

const closed = { additionalProperties: false };
const Port = (value: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 65535, default: value, description });

export const EmbeddedBroker = Type.Object(
  {
    kind: Type.Literal("embedded"),
    host: Type.String({ default: "127.0.0.1", description: "Address the embedded broker listens on." }),
    port: Port(1883, "Port of the embedded broker; the next free one is taken if it is in use."),
  },
  closed,
);
export const ExternalBroker = Type.Object(
  {
    kind: Type.Literal("external"),
    url: Type.String({
      pattern: "^(mqtts?|wss?)://[^@/]+(/.*)?$",
      description: "mqtt://, mqtts://, ws:// or wss:// and host, no user or password in it.",
    }),
    user: Type.Optional(Type.String({ minLength: 1 })),
    password: Type.Optional(Secret("Password at the broker: ${env:NAME} or ${file:PATH}.")),
    ca: Type.Optional(
      Type.String({ description: "PEM file of the authority that signed the broker's certificate." }),
    ),
    certificate: Type.Optional(Type.String({ description: "PEM file of this node's client certificate." })),
    key: Type.Optional(Type.String({ description: "PEM file of the client certificate's key." })),
  },
  closed,
);
export const Broker = Type.Union([EmbeddedBroker, ExternalBroker], {
  discriminator: { propertyName: "kind" },
  default: { kind: "embedded" },
});
export type EmbeddedBroker = Static<typeof EmbeddedBroker>;
export type ExternalBroker = Static<typeof ExternalBroker>;

export const MqttConfig = Type.Object(
  {
    broker: Broker,
    prefix: Type.String({
      default: "perch",
      pattern: "^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$",
      description: "First part of every topic.",
    }),
    window: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 500,
      description: "Messages under way at once, unacknowledged.",
    }),
    commands: Type.Boolean({
      default: false,
      description:
        "Obeys <prefix>/<node>/governor/set. Whoever may publish there may slow this box down or stop its model.",
    }),
  },
  { ...closed, default: {} },
);
export type MqttConfig = Static<typeof MqttConfig>;

export const EngineConfig = Type.Object(
  {
    ladder: Type.String({ default: "perch-small", description: "Ladder in models.yaml." }),
    level: Type.Optional(
      Type.String({
        description:
          "Best rung of the ladder that may run; without it the ladder's own default. The governor takes it or a lower one.",
      }),
    ),
    binary: Type.Optional(
      Type.String({ description: "Another llama-server than the one that set-up built." }),
    ),
    queue: Type.Integer({ minimum: 1, maximum: 10_000, default: 64, description: "Requests that may wait." }),
    timeout: Duration({
      default: "120s",
      description: "An answer that takes longer counts as a stuck engine.",
    }),
    restarts: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 5,
      description: "Restarts within ten minutes before the engine waits longer between tries.",
    }),
    remote: Type.Optional(RemoteConfig),
  },
  { ...closed, default: {} },
);
export type EngineConfig = Static<typeof EngineConfig>;

export const RecordConfig = Type.Object(
  {
    thumbnail: Size({ default: "24KB", description: "Largest picture kept with an event. 0B: none." }),
    age: Duration({
      default: "30d",
      description: "Observations and ended events older than this are removed.",
    }),
    bytes: Size({ default: "2GB", description: "The database is kept under this by removing the oldest." }),
    backups: BackupConfig,
  },
  { ...closed, default: {} },
);
export type RecordConfig = Static<typeof RecordConfig>;

/** One schema, no union: each of its words is about a text or about a mapping, so that a slip gives one error. */
export const Tls = Type.Unsafe<"self-signed" | { certificate: string; key: string }>({
  type: ["object", "string"],
  pattern: "^self-signed$",
  properties: {
    certificate: Type.String({
      minLength: 1,
      description: "PEM file of the certificate, with those between it and its authority.",
    }),
    key: Type.String({ minLength: 1, description: "PEM file of the certificate's key, without a password." }),
  },
  required: ["certificate", "key"],
  additionalProperties: false,
  description: "self-signed: made at the first start; or { certificate, key }.",
});
export type Tls = Static<typeof Tls>;

export const HttpConfig = Type.Object(
  {
    host: Type.String({
      default: "127.0.0.1",
      description:
        "Address to listen on; 0.0.0.0 is all of them. Anything but loopback takes tls, and tokens for every request.",
    }),
    port: Port(8473, "Port of the HTTP interface."),
    tls: Type.Optional(Tls),
    names: Type.Array(
      Type.String({
        pattern: "^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$",
        description: "A host name, without port.",
      }),
      { default: [], maxItems: 16, description: "Names under which other machines may ask for this box." },
    ),
  },
  { ...closed, default: {} },
);
export type HttpConfig = Static<typeof HttpConfig>;

export const Config = Type.Object(
  {
    node: Id("Name of this box in topics."),
    data: Type.String({
      default: "./data",
      description:
        "Folder of the database and of models; like every path here, relative to the working directory.",
    }),
    models: Type.Optional(
      Type.String({ description: "models.yaml with the ladders; without it the one that comes with Perch." }),
    ),
    log: Type.Enum(["trace", "debug", "info", "warn", "error"], { default: "info" }),
    http: HttpConfig,
    mqtt: MqttConfig,
    engine: EngineConfig,
    governor: Governor,
    record: RecordConfig,
    feeds: Type.Array(Feed, { maxItems: 64 }),
    watches: Type.Array(Watch, { maxItems: 256 }),
  },
  closed,
);
export type Config = Static<typeof Config>;
