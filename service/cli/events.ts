import { loadConfig } from "../config/config.ts";
import type { EventPage, ListedEvent } from "../contract/api-events.ts";
import { eventLine, printable } from "../terminal.ts";
import { RunningService } from "./service.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  readonly search?: string;
  readonly watch?: string;
  readonly severity?: string;
  readonly since?: string;
  readonly until?: string;
  readonly open?: boolean;
  readonly limit?: string;
  readonly json?: boolean;
}

/** The API's largest page. */
const PAGE = 500;
const MOST = 100_000;

/** `perch events`: what happened, from the running service, newest first. Resolves to the exit code. */
export async function events(options: Options): Promise<number> {
  const { config, search, limit = "20", json = false, ...filter } = options;
  const most = Number(limit);
  if (!Number.isInteger(most) || most < 1 || most > MOST)
    throw new UsageError(`--limit ${limit}: must be a whole number from 1 to ${MOST}`);
  const service = new RunningService(loadConfig(config, () => undefined));
  const colour = process.stdout.isTTY && process.stdout.hasColors();
  let shown = 0;
  for await (const event of found(service, { ...filter, q: search }, most)) {
    process.stdout.write(json ? `${JSON.stringify(event)}\n` : `${line(event, colour)}\n`);
    shown += 1;
  }
  if (shown === 0 && !json) process.stderr.write("Nothing that fits is in the record.\n");
  return 0;
}

/** Page after page, so that any number fits in memory. */
async function* found(
  service: RunningService,
  filter: Record<string, string | boolean | undefined>,
  most: number,
): AsyncGenerator<ListedEvent> {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  let left = most;
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams(Object.fromEntries(given.map(([key, value]) => [key, String(value)])));
    query.set("limit", String(Math.min(left, PAGE)));
    if (cursor !== null) query.set("cursor", cursor);
    const page: EventPage = await service.json<EventPage>(`/api/events?${query}`);
    yield* page.events;
    left -= page.events.length;
    cursor = page.next;
  } while (cursor !== null && left > 0);
}

/** `2026-11-25 17:21:03 – 17:22:40 ○ The light is red: over (scene) light red, seen by anna`. */
function line(event: ListedEvent, colour: boolean): string {
  const day = new Date(event.started).toLocaleDateString("sv-SE");
  const { acknowledged } = event;
  const seen = acknowledged
    ? `  seen by ${acknowledged.by}${acknowledged.note === undefined ? "" : `: ${printable(acknowledged.note).replaceAll("\n", " ")}`}`
    : "";
  return `${day} ${eventLine(event, colour)}${seen}`;
}
