import type { Response } from "undici";
import { loadConfig } from "../config/config.ts";
import type { LiveEvent } from "../contract/api-live.ts";
import type { Observation } from "../contract/observation.ts";
import { isPerchError } from "../kernel/errors.ts";
import { answerText, eventLine } from "../terminal.ts";
import { type ServerEvent, serverEvents } from "./server-events.ts";
import { RunningService, refusalOf } from "./service.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  readonly watch?: readonly string[];
  /** Answers too, not only what came of them. */
  readonly observations?: boolean;
  readonly json?: boolean;
}

/** Ms between tries to reach the service again. */
const AGAIN = 1_000;

/** `perch tail`: shows events as they happen, until it is ended; a service that restarts is waited for, and nothing is missed. */
export async function tail(options: Options): Promise<number> {
  const service = new RunningService(loadConfig(options.config, () => undefined));
  const ended = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ended.abort());
  // `perch tail | head` ends it too.
  process.stdout.once("error", () => ended.abort());
  const print = options.json === true ? printJson : printText;
  let last: string | undefined;
  let [connected, away] = [false, false];
  while (!ended.signal.aborted) {
    try {
      const response = await follow(service, options, last, ended.signal);
      if (away) process.stderr.write("The service is back.\n");
      [connected, away] = [true, false];
      for await (const event of serverEvents(response)) {
        last = event.id ?? last;
        print(event);
      }
    } catch (error) {
      if (ended.signal.aborted) break;
      // A service that was not there from the beginning is a mistake, and is told.
      if (!connected) throw error;
      if (isPerchError(error) && !error.retryable) throw error;
    }
    if (ended.signal.aborted) break;
    if (!away) process.stderr.write("The service is away; waiting for it.\n");
    away = true;
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
  return 0;
}

async function follow(
  service: RunningService,
  { watch = [], observations }: Options,
  last: string | undefined,
  signal: AbortSignal,
): Promise<Response> {
  const bad = watch.find((id) => !/^[a-z0-9][a-z0-9_-]{0,62}$/.test(id));
  if (bad !== undefined) throw new UsageError(`--watch ${bad}: this is no id of a watch`);
  const query = new URLSearchParams({ kinds: observations ? "event,observation,feed" : "event,feed" });
  if (watch.length > 0) query.set("watch", watch.join(","));
  const headers = { ...(last !== undefined && { "last-event-id": last }) };
  const response = await service.ask(`/api/live?${query}`, { signal, headers });
  if (!response.ok) throw await refusalOf(response);
  return response;
}

function printJson({ event, data }: ServerEvent): void {
  process.stdout.write(`${JSON.stringify({ kind: event, ...(JSON.parse(data) as object) })}\n`);
}

function printText({ event: kind, data }: ServerEvent): void {
  const colour = process.stdout.isTTY && process.stdout.hasColors();
  const text = textOf(kind, JSON.parse(data), colour);
  if (text !== undefined) process.stdout.write(`${text}\n`);
}

function textOf(kind: string, read: unknown, colour: boolean): string | undefined {
  switch (kind) {
    case "event":
      return changeLine(read as LiveEvent, colour);
    case "observation": {
      const { answered, watch, answer } = read as Observation;
      return `${timeOf(answered)}   ${watch}  ${answerText(answer)}`;
    }
    case "feed": {
      const { feed, state, reason } = read as { feed: string; state: string; reason?: string };
      return `${timeOf(new Date().toISOString())}   ${feed} is ${state}${reason === undefined ? "" : `: ${reason}`}`;
    }
    case "gap":
      return "… some of what happened meanwhile is not kept any more: perch events shows what is";
    default:
      return undefined;
  }
}

function changeLine({ change, event }: LiveEvent, colour: boolean): string {
  const { acknowledged, title, watch } = event;
  if (change === "acknowledged" && acknowledged)
    return `${timeOf(acknowledged.at)} ✓ ${title}  (${watch})  seen by ${acknowledged.by}`;
  if (change === "unacknowledged") return `${timeOf(event.at)} ✗ ${title}  (${watch})  not seen after all`;
  return eventLine(event, colour);
}

const timeOf = (iso: string): string => new Date(iso).toLocaleTimeString("en-GB");
