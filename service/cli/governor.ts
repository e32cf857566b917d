import { styleText } from "node:util";
import { isLoopback } from "../api/access/hosts.ts";
import { loadConfig } from "../config/config.ts";
import type { Config } from "../contract/config.ts";
import type { DecisionRow } from "../contract/decision.ts";
import type { GovernorState, GovernorView } from "../contract/governor.ts";
import { bytesText } from "../contract/units.ts";
import { messageOf, PerchError } from "../kernel/errors.ts";
import { Reader } from "../record/record.ts";
import { RunningService } from "./service.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  /** What to do, and with which level: `set q4_k_m`. */
  readonly words: readonly string[];
  readonly pace?: string;
  readonly for?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

const PATH = "/api/governor";
const PATIENCE = 5_000;

/** `perch governor`: shows what the service's governor does, or asks something of it. Resolves to the exit code. */
export async function governor(options: Options): Promise<number> {
  const config = loadConfig(options.config, () => undefined);
  const [action = "show", word, ...more] = options.words;
  if (more.length > 0 || (word !== undefined && action !== "set"))
    throw new UsageError(`perch governor ${action} does not take "${more[0] ?? word}"`);
  refuseStray(action, options);
  switch (action) {
    case "show":
      return show(await get(config), options.json ?? false);
    case "set":
      return told(await post(config, { mode: "manual", ...wished(word, options), ...span(options) }));
    case "freeze":
      return told(await post(config, { mode: "frozen", ...span(options) }));
    case "auto":
      return told(await post(config, { mode: "auto" }));
    case "history":
      return history(config, options);
    default:
      throw new UsageError(`perch governor does not know ${action}: show, set, freeze, auto or history`);
  }
}

function refuseStray(action: string, { pace, for: span, limit, json }: Options): void {
  const stray: [string, unknown, readonly string[]][] = [
    ["--pace", pace, ["set"]],
    ["--for", span, ["set", "freeze"]],
    ["--limit", limit, ["history"]],
    ["--json", json, ["show", "history"]],
  ];
  for (const [option, value, actions] of stray)
    if (value !== undefined && !actions.includes(action))
      throw new UsageError(`${option} belongs to perch governor ${actions.join(" and ")}`);
}

function wished(word: string | undefined, { pace }: Options): { level?: string | null; pace?: number } {
  if (word === undefined && pace === undefined)
    throw new UsageError("set what? perch governor set LEVEL, or --pace 0.5");
  const share = Number(pace);
  if (pace !== undefined && !(share >= 0 && share <= 1))
    throw new UsageError(`--pace ${pace}: must be a number from 0 to 1`);
  return {
    ...(word !== undefined && { level: word === "none" ? null : word }),
    ...(pace !== undefined && { pace: share }),
  };
}

const span = ({ for: text }: Options) => (text === undefined ? {} : { for: text });

function get(config: Config): Promise<GovernorView> {
  // Where only loopback is listened on, anybody may see it, and not everybody may read the token.
  return new RunningService(config).json<GovernorView>(PATH, {
    token: !isLoopback(config.http.host),
    signal: AbortSignal.timeout(PATIENCE),
  });
}

function post(config: Config, body: object): Promise<GovernorState> {
  return new RunningService(config).json<GovernorState>(PATH, {
    body,
    signal: AbortSignal.timeout(PATIENCE),
  });
}

function told(state: GovernorState): number {
  const until = state.until === null ? "" : ` until ${when(state.until)}`;
  process.stdout.write(`${MODES[state.mode]}${until}\n${state.text}\n`);
  return 0;
}

const MODES = {
  auto: "The governor decides",
  frozen: "The level stays as it is",
  manual: "Set by hand",
} as const;

const when = (iso: string) => new Date(iso).toLocaleString("sv-SE");

function show(view: GovernorView, json: boolean): number {
  process.stdout.write(json ? `${JSON.stringify(view, null, 2)}\n` : viewText(view));
  return 0;
}

/** The governor's state for a person at a terminal. */
export function viewText(view: GovernorView): string {
  const { readings, rungs, level, running, pace, text, next, mode, until, ladder } = view;
  const marked = readings.simulated
    ? styleText("yellow", "  simulated: no temperature can be measured here")
    : "";
  const lines = [
    `${styleText("bold", `${ladder} ${level ?? "none"}`)}${running === level ? "" : " (being loaded)"}, pace ${Math.round(100 * pace)}%`,
    `  ${text}`,
    ...(next === null ? [] : [`  next: ${next}`]),
    ...(mode === "auto"
      ? []
      : [`  ${MODES[mode].toLowerCase()}${until === null ? "" : ` until ${when(until)}`}`]),
    ...readings.throttling.map((why) => `  the hardware slows itself down: ${why}`),
    "",
    `Temperatures${marked}`,
    ...(readings.zones.length === 0 ? ["  none can be read"] : []),
    ...readings.zones.map(
      ({ id, celsius, limit }) =>
        `  ${id.padEnd(28)} ${celsius.toFixed(1).padStart(6)} °C${limit === null ? "" : `   slows down at ${limit} °C`}`,
    ),
    "Memory",
    ...readings.memories.map(
      ({ id, total, free, own }) =>
        `  ${id.padEnd(28)} ${bytesText(free)} free of ${bytesText(total)}, the model holds ${bytesText(own)}`,
    ),
    ...(readings.distrusted.length === 0 ? [] : ["Not believed"]),
    ...readings.distrusted.map(({ sensor, reason }) => `  ${sensor}: ${reason}`),
    "Levels, best first",
    ...rungs.map(
      (rung) =>
        `  ${rung.level === level ? "▸" : " "} ${rung.level.padEnd(14)} ${
          rung.fits
            ? rung.needs.map(({ memory, bytes }) => `${bytesText(bytes)} of ${memory}`).join(", ")
            : `out: ${rung.reason ?? "it does not fit"}`
        }`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function history({ data }: Config, { limit = "20", json }: Options): number {
  const most = Number(limit);
  if (!Number.isInteger(most) || most < 1 || most > 10_000)
    throw new UsageError(`--limit ${limit}: must be a whole number from 1 to 10000`);
  const rows = decisionsOf(data, most);
  if (json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
  else
    process.stdout.write(
      rows.length === 0 ? "no decision is recorded yet\n" : `${rows.map(rowText).join("\n")}\n`,
    );
  return 0;
}

function decisionsOf(data: string, limit: number): DecisionRow[] {
  try {
    const reader = new Reader(data);
    try {
      return reader.queries.decisions({ limit });
    } finally {
      reader.close();
    }
  } catch (error) {
    throw new PerchError("DATA_UNWRITABLE", `the record in ${data} cannot be read: ${messageOf(error)}`);
  }
}

const rowText = ({ at, level, pace, hottest, simulated, text }: DecisionRow): string =>
  `${when(new Date(at).toISOString())}  ${(level ?? "none").padEnd(12)} ${String(Math.round(100 * pace)).padStart(3)}%  ${
    hottest === null ? "     –" : `${hottest.toFixed(1).padStart(5)}°`
  }${simulated ? " (simulated)" : ""}  ${text}`;
