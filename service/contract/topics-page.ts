import type { TSchema } from "typebox";
import { GovernorCommand } from "./governor.ts";
import { TOPIC_EXAMPLES } from "./topic-examples.ts";
import { TOPICS, type Topic } from "./topics.ts";

/** docs/topics.md, made of the topics' schemas. */
export function topicsPage(): string {
  return `${[INTRODUCTION, overview(), ...TOPICS.map(section), commanding(), SUBSCRIBING].join("\n\n")}\n`;
}

const INTRODUCTION = `<!-- Made by \`npm run generate\` from service/contract/topics.ts; do not edit. -->
# MQTT topics

Everything that Perch publishes lies below \`<prefix>/<node>/\`: \`mqtt.prefix\` (\`perch\` unless you set it) and
\`node\` of the config. Payloads are JSON in UTF-8. Times are ISO 8601 in UTC.

**At least once.** A message stays in the box's database until the broker has acknowledged it, so none is lost
while the broker is away (observations wait for \`record.age\` at most), and after a lost connection some may come
twice. Drop repeats by the event's \`id\` and \`sequence\`, or the observation's \`id\`. Messages of one topic come in
order the first time they come.

**What a broker may refuse.** With MQTT 5 a broker that does not take a message says so; the message is kept, the
topic waits, and health names it. With MQTT 3.1.1 brokers acknowledge what they throw away: give the box the
right to write \`<prefix>/<node>/#\`.`;

function overview(): string {
  const rows = TOPICS.map(
    ({ path, payload, qos, retained }) =>
      `| [\`${path}\`](#${anchor(path)}) | ${description(payload)} | ${qos} | ${retained ? "yes" : "no"} |`,
  );
  return ["| Topic | What | QoS | Retained |", "|---|---|---|---|", ...rows].join("\n");
}

function section({ path, payload, qos, retained, keeping }: Topic): string {
  const example = JSON.stringify(TOPIC_EXAMPLES[path], null, 2);
  return [
    `## ${title(path)}`,
    `\`<prefix>/<node>/${path}\`: ${description(payload)} QoS ${qos}, ${retained ? "retained" : "not retained"}. ${keeping}`,
    ["| Field | Type | Meaning |", "|---|---|---|", ...fields(payload)].join("\n"),
    `\`\`\`json\n${example}\n\`\`\``,
  ].join("\n\n");
}

const title = (path: string) => path.replace(/[<>]/g, "");
const anchor = (path: string) => title(path).replaceAll("/", "").toLowerCase();

const commanding = () => `## Commanding

With \`mqtt.commands: true\` (it is false unless you set it) Perch obeys \`<prefix>/<node>/governor/set\`. What it
could not obey stands in \`refused\` of the topic \`governor\`. Retained commands are left out.

${["| Field | Type | Meaning |", "|---|---|---|", ...fields(GovernorCommand)].join("\n")}

\`\`\`sh
mosquitto_pub -h 127.0.0.1 -p 1883 -q 1 -t perch/cell/governor/set -m '{"mode":"manual","level":"q4_k_m","for":"2h"}'
mosquitto_pub -h 127.0.0.1 -p 1883 -q 1 -t perch/cell/governor/set -m '{"mode":"manual","pace":0.5,"for":"30m"}'
mosquitto_pub -h 127.0.0.1 -p 1883 -q 1 -t perch/cell/governor/set -m '{"mode":"auto"}'
\`\`\``;

const SUBSCRIBING = `## Reading along

\`\`\`sh
# Everything of every box, with the topic before each message
mosquitto_sub -h 127.0.0.1 -p 1883 -v -t 'perch/#'
# Alarms and other events of one box; QoS 1 and a session of its own, so that none is missed while away
mosquitto_sub -h 127.0.0.1 -p 1883 -q 1 -c -i my-reader -t 'perch/cell/event/#'
# Which boxes are there
mosquitto_sub -h 127.0.0.1 -p 1883 -v -t 'perch/+/status'
\`\`\`

The embedded broker speaks MQTT 3.1.1 and keeps no session of a reader that is away. Who must not miss a message
uses a broker of its own (\`mqtt.broker.kind: external\`).`;

/** What of a JSON Schema the table shows. */
interface Shape {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly description?: string;
}

const shape = (schema: TSchema): Shape => JSON.parse(JSON.stringify(schema)) as Shape;
const description = (schema: TSchema): string => shape(schema).description ?? "";

function fields(schema: TSchema): string[] {
  return rowsOf(shape(schema), "");
}

/** One row a field; the fields of a nested object follow it, with its name before theirs. */
function rowsOf(object: Shape, prefix: string): string[] {
  return Object.entries(object.properties ?? {}).flatMap(([key, field]) => {
    const name = `${prefix}${key}`;
    const optional = object.required?.includes(key) ? "" : ", may be missing";
    const row = `| \`${name}\` | ${typeOf(field)}${optional} | ${meaning(field)} |`;
    const listed = field.items?.properties && [row, ...rowsOf(field.items, `${name}[].`)];
    return listed ?? (field.properties ? [row, ...rowsOf(field, `${name}.`)] : [row]);
  });
}

function meaning({ description: own, anyOf = [] }: Shape): string {
  const texts = [own, ...anyOf.map((one) => one.description)].filter((text) => text !== undefined);
  return texts.join(" ").replaceAll("|", "\\|");
}

function typeOf(field: Shape): string {
  if (field.const !== undefined) return code(field.const);
  if (field.enum) return field.enum.map(code).join(", ");
  if (field.anyOf) return [...new Set(field.anyOf.map(typeOf))].join(" or ");
  if (field.type === "array") return `list of ${field.items ? typeOf(field.items) : "values"}`;
  const [values] = Object.values(field.patternProperties ?? {});
  if (values) return `object of ${typeOf(values)}`;
  return field.type ?? "any";
}

const code = (value: unknown) => `\`${String(value)}\``;
